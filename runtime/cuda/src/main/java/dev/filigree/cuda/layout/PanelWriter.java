package dev.filigree.cuda.layout;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;

/**
 * Writes the values of panels.
 *
 * @param place where a value goes
 * @param stored the values
 * @param rows outputs
 * @param steps along K
 */
record PanelWriter(FragmentPlace place, StoredRows stored, int rows, int steps) {
  /** Writes a panel's blocks; what is not written stays 0. */
  void values(int panel, MemorySegment into) {
    int perStep = place.storedPerStep();
    int[] row = new int[steps * perStep];
    long firstBlock = (long) panel * steps * place.blockBytes();
    for (int r = 0; r < FragmentPlace.PANEL_ROWS; r++) {
      int output = panel * FragmentPlace.PANEL_ROWS + r;
      if (output >= rows) {
        return;
      }
      stored.row(output, row);
      int[] nibbles = new int[perStep];
      for (int k = 0; k < perStep; k++) {
        nibbles[k] = place.nibble(r, k);
      }
      for (int step = 0; step < steps; step++) {
        write(into, firstBlock + (long) step * place.blockBytes(), nibbles, row, step * perStep);
      }
    }
  }

  private void write(MemorySegment into, long block, int[] nibbles, int[] row, int from) {
    switch (place.bits()) {
      case 16 -> {
        for (int k = 0; k < nibbles.length; k++) {
          into.set(DType.SHORT, block + nibbles[k] / 2, (short) row[from + k]);
        }
      }
      case 8 -> {
        for (int k = 0; k < nibbles.length; k++) {
          into.set(DType.BYTE, block + nibbles[k] / 2, (byte) row[from + k]);
        }
      }
      default -> {
        // nibbles of a byte are neighbours in K and belong to one row, so to one writer
        for (int k = 0; k < nibbles.length; k++) {
          long at = block + nibbles[k] / 2;
          int shifted = row[from + k] << nibbles[k] % 2 * 4;
          into.set(DType.BYTE, at, (byte) (into.get(DType.BYTE, at) | shifted));
        }
      }
    }
  }
}
