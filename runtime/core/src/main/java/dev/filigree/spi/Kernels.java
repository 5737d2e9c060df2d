package dev.filigree.spi;

import dev.filigree.Precision;
import dev.filigree.kernel.Activation;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * A set of CPU kernels over f32 panels. Offsets are in bytes and 64-byte aligned unless a kernel
 * says otherwise; a panel's width is a multiple of {@link #lanes()} or 1. Implementations keep no
 * state and are safe to use from many threads; none allocates.
 */
public interface Kernels {
  /** Name for reports, for example {@code vector 512-bit}. */
  String name();

  /** f32 lanes of a vector: a power of two up to 64. */
  int lanes();

  /**
   * Ways to run a linear layer, the one to take without a measurement first. One of them multiplies
   * densely, so that sparsity never has to lose.
   */
  List<LinearOption> linear(Weights weights);

  /**
   * Further ways to run a linear layer, which round its inputs as far as a precision permits; none
   * unless a set has them.
   */
  default List<RoundedOption> rounded(Weights weights, Precision precision) {
    return List.of();
  }

  /**
   * A way to run a layer of scaled integers on inputs that are 8-bit integers already, whose sums
   * are exact; its kernel's code is one of {@link ActivationCode.Integers}. Nothing unless a set
   * has it.
   */
  default Optional<RoundedOption> integers(Weights weights) {
    return Optional.empty();
  }

  /** Lays the weights of a recurrent layer's cell out. */
  CellKernel cell(Cell cell);

  /**
   * Starts rows of a panel of a linear layer's output: {@code y[o] = bias[o] + residual[o]}.
   *
   * @param y offset of the panel
   * @param width tokens of the panel
   * @param from first row
   * @param to row after the last
   * @param bias one value for each row, or null
   * @param residual offset of a panel of the same form, or -1
   */
  void start(
      MemorySegment memory, long y, int width, int from, int to, float[] bias, long residual);

  /**
   * Applies a function to consecutive values in place; any number of them, at any 4-byte aligned
   * offset.
   */
  void activate(Activation activation, MemorySegment memory, long x, long count);

  /** Adds consecutive values: {@code y = a + b}; offsets are 4-byte aligned, y may be a or b. */
  void add(MemorySegment memory, long a, long b, long y, long count);

  /**
   * Combines consecutive values: {@code y = a op b}; offsets are 4-byte aligned, y may be an
   * operand that runs along.
   *
   * @param stepA 1 if a runs along, 0 if it is one value for all
   * @param stepB the same of b
   */
  void combine(
      Arithmetic operation,
      MemorySegment memory,
      long a,
      int stepA,
      long b,
      int stepB,
      long y,
      long count);

  /**
   * Clamps multiples of consecutive values: {@code y = clamp(x * factor + shift, low, high)}, the
   * product rounded before the sum; NaN stays NaN, y may be x.
   */
  void clamp(
      MemorySegment memory,
      long x,
      long y,
      long count,
      float factor,
      float shift,
      float low,
      float high);

  /**
   * Normalises each token of a panel over its features.
   *
   * @param x offset of the panel
   * @param y offset of the result, may be x
   * @param bias may be null
   */
  void layerNormalization(
      MemorySegment memory,
      long x,
      long y,
      int width,
      int features,
      float[] scale,
      float[] bias,
      float epsilon);

  /** Softmax of one row of consecutive values; offsets are 4-byte aligned, y may be x. */
  void softmax(MemorySegment memory, long x, long y, int count);

  /** Floats of heap scratch that {@link #attend} needs. */
  int attentionScratch(AttentionCall call);

  /** Bytes of 64-byte aligned scratch that {@link #attend} needs off the heap. */
  long attentionBytes(AttentionCall call);

  /**
   * Attention of one head of one sequence.
   *
   * @param heap scratch of this thread
   * @param scratch offset in the call's memory of this thread's scratch
   */
  void attend(AttentionCall call, int batch, int head, float[] heap, long scratch);

  /**
   * Range of consecutive values, 0 included.
   *
   * @param range receives the least in 0 and the greatest in 1, if they go beyond what stands there
   */
  void range(MemorySegment memory, long x, long count, float[] range);

  /**
   * Quantises consecutive values to 8 bits and keeps them as whole f32 numbers: {@code y =
   * clamp(rint(x / scale) + zeroPoint, 0, 255) - zeroPoint}; NaN becomes the least.
   */
  void quantize(MemorySegment memory, long x, long y, long count, float scale, int zeroPoint);

  /**
   * Reads consecutive codes of 8 bits as floats: {@code y = (x - zeroPoint) * scale}.
   *
   * @param x offset of the first code
   * @param signed whether codes are i8
   */
  void decode(
      MemorySegment memory, long x, long y, long count, boolean signed, int zeroPoint, float scale);

  /**
   * Writes consecutive floats as codes of 8 bits: {@code y = saturate(rint(x / scale) +
   * zeroPoint)}; the code of NaN is any.
   *
   * @param y offset of the first code
   * @param signed whether codes are i8
   */
  void encode(
      MemorySegment memory, long x, long y, long count, boolean signed, int zeroPoint, float scale);

  /**
   * Makes consecutive sums of products codes, held as whole f32 numbers less their zero point:
   * {@code y = rint(clamp(x * factor, low, high))}; y may be x.
   *
   * @param low least code less the zero point
   * @param high greatest code less the zero point
   */
  void requantize(
      MemorySegment memory, long x, long y, long count, float factor, float low, float high);

  /** Adds consecutive codes, held as whole f32 numbers less their zero points; y may be a or b. */
  void addCodes(MemorySegment memory, long a, long b, long y, long count, CodeSum sum);

  /**
   * Multiplies consecutive codes, held as whole f32 numbers less their zero points; y may be a or
   * b.
   *
   * @param single whether one b multiplies all
   */
  void multiplyCodes(
      MemorySegment memory,
      long a,
      long b,
      boolean single,
      long y,
      long count,
      CodeProduct product);

  /**
   * Ends rows of a panel of an integer product: {@code y[o] = y[o] * (scale * scales[o]) + bias[o]
   * + residual[o]}, from left to right, each operation rounded to f32 by itself as ONNX's Mul and
   * Add do.
   *
   * @param y offset of the panel
   * @param width tokens of the panel
   * @param from first row
   * @param to row after the last
   * @param scale of the input
   * @param scales of the weights, one for each row
   * @param bias one value for each row, or null
   * @param residual offset of a panel of the same form, or -1
   */
  void dequantize(
      MemorySegment memory,
      long y,
      int width,
      int from,
      int to,
      float scale,
      float[] scales,
      float[] bias,
      long residual);

  /**
   * Multiplies row-major matrices: {@code y[i][j] = sum over p of a[i][p] * b[p][j]}, each sum in
   * the order of p whatever the shape. Offsets are 4-byte aligned.
   *
   * @param a offset of {@code [m][k]}
   * @param b offset of {@code [k][n]}
   * @param y offset of {@code [m][n]}
   */
  void product(MemorySegment memory, long a, long b, long y, int m, int n, int k);

  /**
   * Gathers rows of a panel from planes of an image, a stretch at a time: {@code y[c][lane + i] =
   * x[c][from + i]}. Up to the length of a vector may be read after a stretch.
   *
   * @param x offset of the first plane
   * @param step bytes from one plane to the next
   * @param planes to read, one for each row
   * @param stretches offset of triples of ints: lane, element of the plane or -1 for outside, and
   *     length; by lane, together a whole row
   * @param count of stretches
   * @param outside what stands outside the image
   * @param y offset of the first row
   */
  void gather(
      MemorySegment memory,
      long x,
      long step,
      int planes,
      long stretches,
      int count,
      float outside,
      long y,
      int width);

  /**
   * Sums rows of a panel: {@code y[i] = bias + sum over r of weights[at + r] * rows[r][i]}.
   *
   * @param at first weight
   */
  void weightedSum(
      MemorySegment memory,
      long rows,
      int count,
      int width,
      float[] weights,
      int at,
      float bias,
      long y);

  /**
   * Slides a window over rows of a padded plane: {@code y[r * width + i] = bias + sum over t of
   * weights[at + t] * x[taps[t] + r * pitch + i]}. Offsets are 4-byte aligned. Up to the length of
   * a vector may be read after a row; nothing else is written.
   *
   * @param x offset of the plane
   * @param taps elements from the plane's start to the first pixel under each tap
   * @param pitch elements from one row to the next
   * @param at first weight
   * @param y offset of the first result
   */
  void slide(
      MemorySegment memory,
      long x,
      int[] taps,
      int pitch,
      float[] weights,
      int at,
      float bias,
      long y,
      int rows,
      int width);

  /** The largest value under a window that slides as in {@link #slide}; NaN is the largest. */
  void slideMaximum(
      MemorySegment memory, long x, int[] taps, int pitch, long y, int rows, int width);

  /**
   * Copies every so many elements of rows: {@code y[r * yPitch + i] = x[r * xPitch + i * step]}.
   * Offsets are 4-byte aligned; nothing else is read or written.
   *
   * @param step elements from one that is copied to the next
   */
  void copyRows(
      MemorySegment memory, long x, int step, int xPitch, long y, int yPitch, int rows, int width);

  /**
   * Puts the elements of two rows beside each other, for several rows: {@code y[r * yPitch + i]} is
   * element {@code i / 2} of row {@code r} of a where i is even, of b where it is odd. Offsets are
   * 4-byte aligned. Up to the length of a vector may be read after a row; nothing else is written.
   *
   * @param pitch elements from one row of a, or of b, to the next
   * @param width elements of a row of y
   */
  void interleave(
      MemorySegment memory, long a, long b, int pitch, long y, int yPitch, int rows, int width);

  /**
   * Transforms tiles of 4 x 4 pixels for a window of 3 x 3 that makes 2 x 2 results of each, in
   * place: {@code B^T d B} of Lavin and Gray, <i>Fast Algorithms for Convolutional Neural
   * Networks</i> (2016), section 4.1. Pixel by pixel there is a panel {@code [channels][width]}.
   *
   * @param x offset of the panel of the first of 16 pixels, row by row
   * @param step bytes from one pixel's panel to the next
   * @param width tiles of a panel, whole vectors
   */
  void winogradInput(MemorySegment memory, long x, long step, int channels, int width);

  /**
   * Makes results of products of transformed tiles, in place: {@code A^T m A + bias}. The four
   * results of a tile, row by row, go to the panels of its first four elements; what the others
   * then hold is of no use.
   *
   * @param y offset of the panel {@code [outputs][width]} of the first of 16 elements
   * @param step bytes from one element's panel to the next
   * @param from first output
   * @param to output after the last
   * @param bias one value for each output, or null
   */
  void winogradOutput(
      MemorySegment memory, long y, long step, int from, int to, int width, float[] bias);

  /**
   * Moves rows of a row-major matrix into a panel.
   *
   * @param rows offset of the first row, 4-byte aligned
   * @param panel offset of the panel; padding becomes 0
   * @param width tokens of the panel
   * @param used rows to move
   * @param features of a row
   */
  void toPanel(MemorySegment memory, long rows, long panel, int width, int used, int features);

  /**
   * Moves a panel into rows of a row-major matrix that may lie in other memory.
   *
   * @param rows offset of the first row in {@code target}
   */
  void fromPanel(
      MemorySegment memory,
      long panel,
      int width,
      int used,
      int features,
      MemorySegment target,
      long rows);
}
