package dev.filigree.plan;

import dev.filigree.spi.Kernels;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Which tokens of a {@link Ragged} plan belong to which row, for the run at hand. Written before
 * the run, read by its threads.
 */
final class Sequences {
  private final int longest;
  private final int[] starts;
  private final int[] lengths;

  /** Where a token lies among all of a row-major value, padding included; -1 for none. */
  private final int[] places;

  Sequences(Ragged ragged) {
    longest = ragged.longest();
    starts = new int[ragged.rows()];
    lengths = new int[ragged.rows()];
    places = new int[ragged.tokens()];
  }

  /**
   * Begins a run.
   *
   * @param tokens of each row, together not more than there is room for
   */
  void begin(int[] tokens) {
    int at = 0;
    for (int row = 0; row < starts.length; row++) {
      starts[row] = at;
      lengths[row] = tokens[row];
      for (int i = 0; i < tokens[row]; i++) {
        places[at++] = row * longest + i;
      }
    }
    Arrays.fill(places, at, places.length, -1);
  }

  /** Number of rows. */
  int rows() {
    return starts.length;
  }

  /** A row's first token. */
  int start(int row) {
    return starts[row];
  }

  /** Tokens of a row that are no padding. */
  int length(int row) {
    return lengths[row];
  }

  /** Where a token lies among all of a row-major value, padding included; -1 for none. */
  int place(int token) {
    return places[token];
  }

  /**
   * Puts tokens of a row-major value in a panel.
   *
   * @param x row-major
   * @param y in panels
   * @param scratch offset of memory for {@link dev.filigree.spi.Panels#FULL} rows
   */
  void toPanel(Kernels kernels, MemorySegment memory, Slot x, Slot y, int panel, long scratch) {
    long row = (long) y.features() * Float.BYTES;
    int first = y.panels().start(panel);
    int used = y.panels().used(panel);
    for (int t = 0; t < used; t++) {
      int place = places[first + t];
      if (place < 0) {
        memory.asSlice(scratch + t * row, row).fill((byte) 0);
      } else {
        MemorySegment.copy(memory, x.offset() + place * row, memory, scratch + t * row, row);
      }
    }
    kernels.toPanel(
        memory,
        scratch,
        y.offset() + y.panels().offset(panel, y.features()),
        y.panels().width(panel),
        used,
        y.features());
  }

  /**
   * Puts a panel's tokens where they are in row-major order.
   *
   * @param x in panels
   * @param y row-major
   * @param scratch offset of memory for {@link dev.filigree.spi.Panels#FULL} rows
   */
  void toRows(Kernels kernels, MemorySegment memory, Slot x, Slot y, int panel, long scratch) {
    long row = (long) y.features() * Float.BYTES;
    int first = x.panels().start(panel);
    int used = x.panels().used(panel);
    kernels.fromPanel(
        memory,
        x.offset() + x.panels().offset(panel, x.features()),
        x.panels().width(panel),
        used,
        x.features(),
        memory,
        scratch);
    for (int t = 0; t < used; t++) {
      int place = places[first + t];
      if (place >= 0) {
        MemorySegment.copy(memory, scratch + t * row, memory, y.offset() + place * row, row);
      }
    }
  }

  /** Writes 0 where a row-major value has padding of a row. */
  void clear(MemorySegment memory, Slot y, int row) {
    long token = (long) y.features() * Float.BYTES;
    long from = y.offset() + ((long) row * longest + lengths[row]) * token;
    memory.asSlice(from, (longest - lengths[row]) * token).fill((byte) 0);
  }
}
