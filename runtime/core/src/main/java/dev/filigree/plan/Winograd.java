package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Values;
import dev.filigree.weights.Weights;

/**
 * Convolutions with a window of 3 x 3 by Winograd's minimal filtering F(2 x 2, 3 x 3): four results
 * of a tile of 4 x 4 pixels by 16 multiplications where the window takes 36. See Lavin and Gray,
 * <i>Fast Algorithms for Convolutional Neural Networks</i> (2016). Tiles and weights are
 * transformed, and for each of the 16 elements a product over channels adds up.
 *
 * <pre>
 *   Y = A^T [ (G g G^T) * (B^T d B) ] A        G =  1    0    0
 *                                                  1/2  1/2  1/2
 *                                                  1/2 -1/2  1/2
 *                                                   0    0    1
 * </pre>
 *
 * Rounding is a few times that of the direct sum. Sums of whole numbers would not stay exact, so
 * networks of codes never run this way.
 */
final class Winograd {
  /** Elements of a transformed tile. */
  static final int ELEMENTS = 16;

  /** Rows and columns of a tile's results. */
  static final int RESULTS = 2;

  private static final int TILE = 4;
  private static final int WINDOW = 3;
  private static final double[][] WEIGHTS = {
    {1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}
  };

  /** Tiles below which vectors stay too empty. */
  private static final int FEWEST = 9;

  /**
   * What moving and transforming the tiles that lie beside each other costs for each channel and
   * output, in multiplications; by tile and by run. Like the next, fitted to {@code
   * ConvolutionComparison}.
   */
  private static final double TILE_COST = 80;

  private static final double RUN_COST = 4500;

  /** What fetching a weight costs, in multiplications. */
  private static final double FETCH = 10;

  private Winograd() {}

  /** The tiles of a convolution as a window that slides by two pixels. */
  static Sliding tiles(Sliding window) {
    return new Sliding(
        window.inHeight(),
        window.inWidth(),
        Math.ceilDiv(window.outHeight(), RESULTS),
        Math.ceilDiv(window.outWidth(), RESULTS),
        new int[] {TILE, TILE},
        new int[] {RESULTS, RESULTS},
        new int[] {1, 1},
        window.before(),
        false);
  }

  /** Whether a window of a convolution in one group can run this way. */
  static boolean fits(Weights weights, Sliding window) {
    return isBoth(window.kernel(), WINDOW)
        && isBoth(window.strides(), 1)
        && isBoth(window.dilations(), 1)
        && tiles(window).outPixels() >= FEWEST
        && isF32(weights)
        && !isWhole(weights);
  }

  /** Its predicted time over that of the direct dense product. */
  static double overDirect(Weights weights, Sliding window, int lanes) {
    int tiles = tiles(window).outPixels();
    double outputs = weights.rows();
    double channels = (double) weights.columns() / (WINDOW * WINDOW);
    int runs = tiles(window).outHeight() + tiles / Panels.FULL;
    double transformed =
        ELEMENTS * outputs * channels * cost(tiles, lanes)
            + (outputs + channels) * (TILE_COST * tiles + RUN_COST * runs);
    return transformed / (weights.columns() * outputs * cost(window.outPixels(), lanes));
  }

  /** Multiplications for each weight, and what it costs to fetch it once for each piece. */
  private static double cost(int tokens, int lanes) {
    long padded = Panels.of(tokens, lanes).bytes(1) / Float.BYTES;
    return padded + FETCH * Math.ceilDiv(tokens, Panels.FULL);
  }

  private static boolean isBoth(int[] values, int wanted) {
    return values[0] == wanted && values[1] == wanted;
  }

  /** Whether weights are stored as f32: others would lose what they save in memory. */
  private static boolean isF32(Weights weights) {
    return switch (weights) {
      case Dense dense -> dense.tensor().dtype() == DType.F32;
      case Sparse24 sparse -> isF32(sparse.values());
      case SparseCsr sparse -> isF32(sparse.values());
      default -> false;
    };
  }

  private static boolean isF32(Values values) {
    return values instanceof FloatValues floats && floats.dtype() == DType.F32;
  }

  private static boolean isWhole(Weights weights) {
    float[] row = new float[weights.columns()];
    for (int o = 0; o < weights.rows(); o++) {
      weights.unpackRow(o, row, 0);
      for (float weight : row) {
        if (weight != Math.rint(weight)) {
          return false;
        }
      }
    }
    return true;
  }

  /**
   * One element of all transformed windows, {@code [outputs, channels]}.
   *
   * @param weights columns by tap and then channel
   * @param element from 0 to {@link #ELEMENTS}
   */
  static Dense element(Weights weights, int element) {
    int channels = weights.columns() / (WINDOW * WINDOW);
    double[] down = WEIGHTS[element / TILE];
    double[] across = WEIGHTS[element % TILE];
    float[] values = new float[Math.multiplyExact(weights.rows(), channels)];
    float[] row = new float[weights.columns()];
    for (int o = 0; o < weights.rows(); o++) {
      weights.unpackRow(o, row, 0);
      for (int c = 0; c < channels; c++) {
        double sum = 0;
        for (int tap = 0; tap < WINDOW * WINDOW; tap++) {
          sum += down[tap / WINDOW] * across[tap % WINDOW] * row[tap * channels + c];
        }
        values[o * channels + c] = (float) sum;
      }
    }
    return Dense.of(weights.rows(), channels, values);
  }
}
