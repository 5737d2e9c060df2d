package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;

import dev.filigree.DType;
import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.Panels;

/**
 * Lays keys and values of a head out as the weights of two dense products. Both lie in panels,
 * feature by feature with neighbouring keys beside each other. A tile of the first product takes
 * four keys, which are beside each other already; a tile of the second takes four features, whose
 * rows are interleaved:
 *
 * <pre>
 *   keys    [keys / 4][width][4]     k0 k1 k2 k3 of feature 0 | of feature 1 | ...
 *   values  [width / 4][keys][4]     f0 f1 f2 f3 of key 0 | of key 1 | ...
 * </pre>
 */
final class HeadPacking {
  private static final int TILE = DenseTiles.OUTPUTS;

  private HeadPacking() {}

  /** Rows rounded up to whole tiles. */
  static int padded(int rows) {
    return (rows + TILE - 1) / TILE * TILE;
  }

  /** Address of a token's feature in a matrix of panels. */
  static long address(
      AttentionCall call,
      Panels panels,
      int features,
      long matrix,
      int panel,
      int token,
      int feature) {
    return call.memory().address()
        + matrix
        + panels.offset(panel, features)
        + ((long) feature * panels.width(panel) + token - panels.start(panel)) * Float.BYTES;
  }

  /** Packs the keys of a head into {@code heap}, with zeros in place of keys that fill a tile. */
  static void keys(AttentionCall call, int batch, int keyHead, float[] heap) {
    int width = call.width();
    int first = call.firstKey(batch);
    Panels panels = call.keyPanels();
    for (int token = first; token < first + call.keys(); ) {
      int panel = panels.of(token);
      int end = Math.min(first + call.keys(), panels.start(panel) + panels.width(panel));
      for (int d = 0; d < width; d++) {
        int feature = keyHead * width + d;
        keyRow(
            address(call, panels, call.keyFeatures(), call.k(), panel, token, feature),
            token - first,
            end - first,
            heap,
            d * TILE,
            width * TILE);
      }
      token = end;
    }
    for (int j = call.keys(); j < padded(call.keys()); j++) {
      for (int d = 0; d < width; d++) {
        heap[j / TILE * TILE * width + d * TILE + j % TILE] = 0;
      }
    }
  }

  /**
   * Packs one feature of neighbouring keys.
   *
   * @param tile from one tile to the next in the heap
   */
  private static void keyRow(long from, int key, int end, float[] heap, int at, int tile) {
    for (; key < end && key % TILE != 0; key++, from += Float.BYTES) {
      heap[at + key / TILE * tile + key % TILE] = ALL.get(DType.FLOAT, from);
    }
    int to = at + key / TILE * tile;
    for (; key + TILE <= end; key += TILE, from += TILE * Float.BYTES, to += tile) {
      heap[to] = ALL.get(DType.FLOAT, from);
      heap[to + 1] = ALL.get(DType.FLOAT, from + Float.BYTES);
      heap[to + 2] = ALL.get(DType.FLOAT, from + 2 * Float.BYTES);
      heap[to + 3] = ALL.get(DType.FLOAT, from + 3 * Float.BYTES);
    }
    for (; key < end; key++, from += Float.BYTES) {
      heap[at + key / TILE * tile + key % TILE] = ALL.get(DType.FLOAT, from);
    }
  }

  /** Packs the values of a head into {@code heap}, with zeros for features that fill a tile. */
  static void values(AttentionCall call, int batch, int keyHead, float[] heap, int start) {
    int keys = call.keys();
    int width = call.width();
    int first = call.firstKey(batch);
    Panels panels = call.keyPanels();
    for (int token = first; token < first + keys; ) {
      int panel = panels.of(token);
      int end = Math.min(first + keys, panels.start(panel) + panels.width(panel));
      long row = (long) panels.width(panel) * Float.BYTES;
      for (int d = 0; d < width; d += TILE) {
        long from =
            address(call, panels, call.keyFeatures(), call.v(), panel, token, keyHead * width + d);
        int to = start + (d / TILE * keys + token - first) * TILE;
        if (d + TILE <= width) {
          interleave(from, row, end - token, heap, to);
          continue;
        }
        for (int c = 0; c < TILE; c++) {
          for (int i = 0; i < end - token; i++) {
            heap[to + i * TILE + c] =
                d + c < width ? ALL.get(DType.FLOAT, from + c * row + (long) i * Float.BYTES) : 0;
          }
        }
      }
      token = end;
    }
  }

  /** Interleaves four rows of values. */
  private static void interleave(long from, long row, int count, float[] heap, int to) {
    for (int i = 0; i < count; i++, from += Float.BYTES, to += TILE) {
      heap[to] = ALL.get(DType.FLOAT, from);
      heap[to + 1] = ALL.get(DType.FLOAT, from + row);
      heap[to + 2] = ALL.get(DType.FLOAT, from + 2 * row);
      heap[to + 3] = ALL.get(DType.FLOAT, from + 3 * row);
    }
  }
}
