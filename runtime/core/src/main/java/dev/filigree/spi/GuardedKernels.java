package dev.filigree.spi;

import dev.filigree.Precision;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.scalar.ScalarKernels;
import dev.filigree.spi.KernelOperation.Kind;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.StringJoiner;

/**
 * A set of kernels whose operations {@link KernelGuard} can replace by the scalar ones, one by one,
 * while others run. Notes which operations are used: only those need a look.
 */
final class GuardedKernels implements Kernels {
  private final Kernels fast;
  private final Kernels scalar = new ScalarKernels();

  /** A bit for each operation. A set is replaced by a larger one only. */
  private volatile long stuck;

  /** A bit for each operation; two threads may lose one, which the next call sets again. */
  private long used;

  GuardedKernels(Kernels fast) {
    this.fast = fast;
  }

  Kernels fast() {
    return fast;
  }

  Kernels scalar() {
    return scalar;
  }

  boolean isUsed(int operation) {
    return (used >>> operation & 1) != 0;
  }

  boolean isStuck(int operation) {
    return (stuck >>> operation & 1) != 0;
  }

  /** From now on the scalar kernel computes this operation. */
  synchronized void replace(int operation) {
    stuck |= 1L << operation;
  }

  private Kernels of(Kind kind) {
    return at(KernelOperation.index(kind));
  }

  private Kernels at(int operation) {
    long bit = 1L << operation;
    if ((used & bit) == 0) {
      used |= bit;
    }
    return (stuck & bit) == 0 ? fast : scalar;
  }

  @Override
  public String name() {
    if (stuck == 0) {
      return fast.name();
    }
    StringJoiner names = new StringJoiner(", ", fast.name() + ", scalar for ", " (stuck)");
    for (int i = 0; i < KernelOperation.COUNT; i++) {
      if (isStuck(i)) {
        names.add(KernelOperation.at(i).label());
      }
    }
    return names.toString();
  }

  @Override
  public int lanes() {
    return fast.lanes();
  }

  @Override
  public List<LinearOption> linear(Weights weights) {
    boolean slow = of(Kind.LINEAR) == scalar || of(Kind.LINEAR_ONE_TOKEN) == scalar;
    return (slow ? scalar : fast).linear(weights);
  }

  @Override
  public List<RoundedOption> rounded(Weights weights, Precision precision) {
    return fast.rounded(weights, precision);
  }

  @Override
  public Optional<RoundedOption> integers(Weights weights) {
    return fast.integers(weights);
  }

  @Override
  public void start(
      MemorySegment memory, long y, int width, int from, int to, float[] bias, long residual) {
    of(Kind.START).start(memory, y, width, from, to, bias, residual);
  }

  @Override
  public void activate(Activation activation, MemorySegment memory, long x, long count) {
    at(KernelOperation.index(activation)).activate(activation, memory, x, count);
  }

  @Override
  public void add(MemorySegment memory, long a, long b, long y, long count) {
    of(Kind.ADD).add(memory, a, b, y, count);
  }

  @Override
  public void combine(
      Arithmetic operation,
      MemorySegment memory,
      long a,
      int stepA,
      long b,
      int stepB,
      long y,
      long count) {
    of(Kind.COMBINE).combine(operation, memory, a, stepA, b, stepB, y, count);
  }

  @Override
  public void layerNormalization(
      MemorySegment memory,
      long x,
      long y,
      int width,
      int features,
      float[] scale,
      float[] bias,
      float epsilon) {
    of(Kind.LAYER_NORMALIZATION)
        .layerNormalization(memory, x, y, width, features, scale, bias, epsilon);
  }

  @Override
  public void softmax(MemorySegment memory, long x, long y, int count) {
    of(Kind.SOFTMAX).softmax(memory, x, y, count);
  }

  /** What either kernel needs: the one that runs may change after the scratch was allocated. */
  @Override
  public int attentionScratch(AttentionCall call) {
    return Math.max(fast.attentionScratch(call), scalar.attentionScratch(call));
  }

  @Override
  public long attentionBytes(AttentionCall call) {
    return Math.max(fast.attentionBytes(call), scalar.attentionBytes(call));
  }

  @Override
  public void attend(AttentionCall call, int batch, int head, float[] heap, long scratch) {
    of(Kind.ATTEND).attend(call, batch, head, heap, scratch);
  }

  @Override
  public void range(MemorySegment memory, long x, long count, float[] range) {
    of(Kind.RANGE).range(memory, x, count, range);
  }

  @Override
  public void quantize(
      MemorySegment memory, long x, long y, long count, float scale, int zeroPoint) {
    of(Kind.QUANTIZE).quantize(memory, x, y, count, scale, zeroPoint);
  }

  @Override
  public void decode(
      MemorySegment memory,
      long x,
      long y,
      long count,
      boolean signed,
      int zeroPoint,
      float scale) {
    of(Kind.DECODE).decode(memory, x, y, count, signed, zeroPoint, scale);
  }

  @Override
  public void encode(
      MemorySegment memory,
      long x,
      long y,
      long count,
      boolean signed,
      int zeroPoint,
      float scale) {
    of(Kind.ENCODE).encode(memory, x, y, count, signed, zeroPoint, scale);
  }

  @Override
  public void requantize(
      MemorySegment memory, long x, long y, long count, float factor, float low, float high) {
    of(Kind.REQUANTIZE).requantize(memory, x, y, count, factor, low, high);
  }

  @Override
  public void addCodes(MemorySegment memory, long a, long b, long y, long count, CodeSum sum) {
    of(Kind.ADD_CODES).addCodes(memory, a, b, y, count, sum);
  }

  @Override
  public void multiplyCodes(
      MemorySegment memory,
      long a,
      long b,
      boolean single,
      long y,
      long count,
      CodeProduct product) {
    of(Kind.MULTIPLY_CODES).multiplyCodes(memory, a, b, single, y, count, product);
  }

  @Override
  public void clamp(
      MemorySegment memory,
      long x,
      long y,
      long count,
      float factor,
      float shift,
      float low,
      float high) {
    of(Kind.CLAMP).clamp(memory, x, y, count, factor, shift, low, high);
  }

  @Override
  public void dequantize(
      MemorySegment memory,
      long y,
      int width,
      int from,
      int to,
      float scale,
      float[] scales,
      float[] bias,
      long residual) {
    of(Kind.DEQUANTIZE).dequantize(memory, y, width, from, to, scale, scales, bias, residual);
  }

  @Override
  public void product(MemorySegment memory, long a, long b, long y, int m, int n, int k) {
    of(Kind.PRODUCT).product(memory, a, b, y, m, n, k);
  }

  @Override
  public void gather(
      MemorySegment memory,
      long x,
      long step,
      int planes,
      long stretches,
      int count,
      float outside,
      long y,
      int width) {
    of(Kind.GATHER).gather(memory, x, step, planes, stretches, count, outside, y, width);
  }

  @Override
  public void weightedSum(
      MemorySegment memory,
      long rows,
      int count,
      int width,
      float[] weights,
      int at,
      float bias,
      long y) {
    of(Kind.WEIGHTED_SUM).weightedSum(memory, rows, count, width, weights, at, bias, y);
  }

  @Override
  public void slide(
      MemorySegment memory,
      long x,
      int[] taps,
      int pitch,
      float[] weights,
      int at,
      float bias,
      long y,
      int rows,
      int width) {
    of(Kind.SLIDE).slide(memory, x, taps, pitch, weights, at, bias, y, rows, width);
  }

  @Override
  public void slideMaximum(
      MemorySegment memory, long x, int[] taps, int pitch, long y, int rows, int width) {
    of(Kind.SLIDE_MAXIMUM).slideMaximum(memory, x, taps, pitch, y, rows, width);
  }

  @Override
  public void copyRows(
      MemorySegment memory, long x, int step, int xPitch, long y, int yPitch, int rows, int width) {
    of(Kind.COPY_ROWS).copyRows(memory, x, step, xPitch, y, yPitch, rows, width);
  }

  @Override
  public void interleave(
      MemorySegment memory, long a, long b, int pitch, long y, int yPitch, int rows, int width) {
    of(Kind.INTERLEAVE).interleave(memory, a, b, pitch, y, yPitch, rows, width);
  }

  @Override
  public void winogradInput(MemorySegment memory, long x, long step, int channels, int width) {
    of(Kind.WINOGRAD_INPUT).winogradInput(memory, x, step, channels, width);
  }

  @Override
  public void winogradOutput(
      MemorySegment memory, long y, long step, int from, int to, int width, float[] bias) {
    of(Kind.WINOGRAD_OUTPUT).winogradOutput(memory, y, step, from, to, width, bias);
  }

  @Override
  public void toPanel(
      MemorySegment memory, long rows, long panel, int width, int used, int features) {
    of(Kind.TO_PANEL).toPanel(memory, rows, panel, width, used, features);
  }

  @Override
  public void fromPanel(
      MemorySegment memory,
      long panel,
      int width,
      int used,
      int features,
      MemorySegment target,
      long rows) {
    of(Kind.FROM_PANEL).fromPanel(memory, panel, width, used, features, target, rows);
  }
}
