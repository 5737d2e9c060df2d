package dev.filigree.kernels.vector;

import dev.filigree.WeightsException;
import dev.filigree.spi.LinearKernel;
import dev.filigree.weights.Weights;
import java.util.Arrays;

/**
 * The arrays of a {@link RowKernel}. A slot is one pair of outputs in one block of features:
 *
 * <pre>
 *   weights   a b a b ... | a b a b ... | a a ...
 *   indices   r r ...     | ra rb ...   | ra ...      row within the block of features
 *   counts    both, either, rest                      one slot after the other
 *   outputs   a, b                                    a is the one with more weights in this slot
 * </pre>
 *
 * The last of an odd number of outputs is paired with itself and has all its weights in "rest".
 */
final class RowPacking {
  /**
   * Kept weights of an output that a block of features should hold, so that a tile is worth its
   * start.
   */
  private static final int WEIGHTS_PER_SLOT = 32;

  /** Smallest block: 64 features by 128 tokens are 32 KiB of activations, 96 by 64 are 24. */
  private static final int MIN_FEATURES = Lanes.MANY_REGISTERS ? 64 : 96;

  /** Largest block: an index is a byte. */
  private static final int MAX_FEATURES = 256;

  private final Weights source;
  private final int features;
  private final int featureBlocks;
  private final float[] weights;
  private final byte[] indices;
  private final short[] counts;
  private final int[] outputs;
  private final int[] firstSlots;
  private final int[] firstWeights;
  private final int[] firstIndices;
  private int slot;
  private int at;
  private int index;

  private RowPacking(Weights source) {
    this.source = source;
    int columns = source.columns();
    int blocks = (source.rows() + LinearKernel.BLOCK - 1) / LinearKernel.BLOCK;
    features = features(source.density());
    featureBlocks = (columns + features - 1) / features;
    firstSlots = new int[blocks + 1];
    firstWeights = new int[blocks];
    firstIndices = new int[blocks];
    for (int block = 0; block < blocks; block++) {
      firstSlots[block + 1] = firstSlots[block] + (outputs(block) + 1) / 2 * featureBlocks;
    }
    int stored = stored(source);
    weights = new float[stored];
    indices = new byte[stored];
    counts = new short[3 * firstSlots[blocks]];
    outputs = new int[2 * firstSlots[blocks]];
    for (int block = 0; block < blocks; block++) {
      pack(block);
    }
  }

  /** Lays weights out. */
  static RowPacking of(Weights weights) {
    return new RowPacking(weights);
  }

  private static int features(double density) {
    int wanted = (int) Math.min(MAX_FEATURES, WEIGHTS_PER_SLOT / Math.max(density, 1e-3));
    return Math.max(MIN_FEATURES, Integer.highestOneBit(wanted));
  }

  private int outputs(int block) {
    return Math.min(LinearKernel.BLOCK, source.rows() - block * LinearKernel.BLOCK);
  }

  /**
   * Weights that a matrix keeps.
   *
   * @throws WeightsException if they are more than an array holds
   */
  static int stored(Weights source) {
    long stored = 0;
    for (int row = 0; row < source.rows(); row++) {
      for (int k = 0; k < source.columns(); k++) {
        stored += source.keeps(row, k) ? 1 : 0;
      }
    }
    if (stored > Integer.MAX_VALUE - 8) {
      throw new WeightsException(
          "a matrix keeps " + stored + " weights, more than a Java array holds", "split the layer");
    }
    return (int) stored;
  }

  private void pack(int block) {
    firstWeights[block] = at;
    firstIndices[block] = index;
    int columns = source.columns();
    int first = block * LinearKernel.BLOCK;
    int count = outputs(block);
    float[] values = new float[count * columns];
    for (int o = 0; o < count; o++) {
      source.unpackRow(first + o, values, o * columns);
    }
    for (int k = 0; k < columns; k += features) {
      int end = Math.min(columns, k + features);
      for (int o = 0; o < count; o += 2) {
        pair(first, o, Math.min(o + 1, count - 1), k, end, values);
      }
    }
  }

  /**
   * Writes the slot of two outputs, counted within the block, and the features {@code [k, end)}.
   */
  private void pair(int first, int o, int partner, int k, int end, float[] values) {
    int columns = source.columns();
    int[] left = kept(first + o, k, end);
    int[] right = partner == o ? new int[0] : kept(first + partner, k, end);
    boolean swap = right.length > left.length;
    int a = swap ? partner : o;
    int b = swap ? o : partner;
    int[] aRows = swap ? right : left;
    int[] bRows = swap ? left : right;
    outputs[2 * slot] = first + a;
    outputs[2 * slot + 1] = first + b;
    boolean[] shared = new boolean[end - k];
    boolean[] inA = new boolean[end - k];
    for (int row : aRows) {
      inA[row - k] = true;
    }
    int both = 0;
    for (int row : bRows) {
      if (inA[row - k]) {
        shared[row - k] = true;
        both++;
        weights[at++] = values[a * columns + row];
        weights[at++] = values[b * columns + row];
        indices[index++] = (byte) (row - k);
      }
    }
    int either = bRows.length - both;
    int[] ownA = own(aRows, shared, k);
    int[] ownB = own(bRows, shared, k);
    for (int i = 0; i < ownA.length; i++) {
      weights[at++] = values[a * columns + ownA[i]];
      indices[index++] = (byte) (ownA[i] - k);
      if (i < either) {
        weights[at++] = values[b * columns + ownB[i]];
        indices[index++] = (byte) (ownB[i] - k);
      }
    }
    counts[3 * slot] = (short) both;
    counts[3 * slot + 1] = (short) either;
    counts[3 * slot + 2] = (short) (ownA.length - either);
    slot++;
  }

  /** Features of a range that an output keeps. */
  private int[] kept(int output, int k, int end) {
    int[] kept = new int[end - k];
    int count = 0;
    for (int row = k; row < end; row++) {
      if (source.keeps(output, row)) {
        kept[count++] = row;
      }
    }
    return Arrays.copyOf(kept, count);
  }

  private static int[] own(int[] rows, boolean[] shared, int k) {
    int[] own = new int[rows.length];
    int count = 0;
    for (int row : rows) {
      if (!shared[row - k]) {
        own[count++] = row;
      }
    }
    return Arrays.copyOf(own, count);
  }

  int features() {
    return features;
  }

  float[] weights() {
    return weights;
  }

  byte[] indices() {
    return indices;
  }

  /** Pairs of outputs in a block. */
  int pairs(int block) {
    return (firstSlots[block + 1] - firstSlots[block]) / featureBlocks;
  }

  int firstSlot(int block) {
    return firstSlots[block];
  }

  int firstWeight(int block) {
    return firstWeights[block];
  }

  int firstIndex(int block) {
    return firstIndices[block];
  }

  int both(int slot) {
    return counts[3 * slot];
  }

  int either(int slot) {
    return counts[3 * slot + 1];
  }

  int rest(int slot) {
    return counts[3 * slot + 2];
  }

  int first(int slot) {
    return outputs[2 * slot];
  }

  int second(int slot) {
    return outputs[2 * slot + 1];
  }

  long bytes() {
    return 4L * weights.length + indices.length + 2L * counts.length + 4L * outputs.length;
  }
}
