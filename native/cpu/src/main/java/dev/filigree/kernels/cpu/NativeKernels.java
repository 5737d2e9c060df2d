package dev.filigree.kernels.cpu;

import dev.filigree.Precision;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.CodeProduct;
import dev.filigree.spi.CodeSum;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearOption;
import dev.filigree.spi.RoundedOption;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Another set of kernels with native ways to run linear layers beside its own. */
final class NativeKernels implements Kernels {
  private final Kernels base;
  private final NativeCalls integers;
  private final NativeCalls halves;
  private final TokenCalls tokens;

  /**
   * A set.
   *
   * @param base does everything else
   * @param integers kernels of 8-bit integers
   * @param halves kernels of bf16, or null
   * @param tokens kernels of single tokens
   */
  NativeKernels(Kernels base, NativeCalls integers, NativeCalls halves, TokenCalls tokens) {
    this.base = base;
    this.integers = integers;
    this.halves = halves;
    this.tokens = tokens;
  }

  @Override
  public String name() {
    // what runs natively is named layer by layer, in plans
    return base.name();
  }

  @Override
  public int lanes() {
    return Math.max(base.lanes(), integers.instructions().lanes());
  }

  @Override
  public List<RoundedOption> rounded(Weights weights, Precision precision) {
    List<RoundedOption> options = new ArrayList<>();
    if (precision.permits(Precision.INT8)) {
      IntegerRows.of(weights).ifPresent(rows -> options.add(NativeOption.of(integers, rows)));
    }
    if (halves != null && precision.permits(Precision.BF16)) {
      options.add(NativeOption.of(halves, weights));
    }
    return options;
  }

  @Override
  public Optional<RoundedOption> integers(Weights weights) {
    return IntegerRows.of(weights).map(rows -> NativeOption.of(integers, rows));
  }

  @Override
  public List<LinearOption> linear(Weights weights) {
    List<LinearOption> options = new ArrayList<>(base.linear(weights));
    switch (weights) {
      case Codebook codebook when tokens.isFasterThan(base.lanes()) && CodeRows.fits(weights) ->
          options.set(0, TokenOption.of(tokens, base, codebook));
      case Sparse24 sparse when tokens.hasCodes24() && PairRows.fits(weights) -> {
        LinearOption best =
            Collections.min(
                options, Comparator.comparingDouble(option -> option.predictedNanos(1)));
        options.set(options.indexOf(best), TokenOption.of(tokens, best, sparse));
      }
      case Quantized quantized when tokens.hasBytes() && ByteRows.fits(weights) ->
          options.set(0, TokenOption.of(tokens, base, quantized));
      default -> {}
    }
    return List.copyOf(options);
  }

  @Override
  public void start(
      MemorySegment memory, long y, int width, int from, int to, float[] bias, long residual) {
    base.start(memory, y, width, from, to, bias, residual);
  }

  @Override
  public void activate(Activation activation, MemorySegment memory, long x, long count) {
    base.activate(activation, memory, x, count);
  }

  @Override
  public void add(MemorySegment memory, long a, long b, long y, long count) {
    base.add(memory, a, b, y, count);
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
    base.combine(operation, memory, a, stepA, b, stepB, y, count);
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
    base.layerNormalization(memory, x, y, width, features, scale, bias, epsilon);
  }

  @Override
  public void softmax(MemorySegment memory, long x, long y, int count) {
    base.softmax(memory, x, y, count);
  }

  @Override
  public int attentionScratch(AttentionCall call) {
    return base.attentionScratch(call);
  }

  @Override
  public long attentionBytes(AttentionCall call) {
    return base.attentionBytes(call);
  }

  @Override
  public void attend(AttentionCall call, int batch, int head, float[] heap, long scratch) {
    base.attend(call, batch, head, heap, scratch);
  }

  @Override
  public void range(MemorySegment memory, long x, long count, float[] range) {
    base.range(memory, x, count, range);
  }

  @Override
  public void quantize(
      MemorySegment memory, long x, long y, long count, float scale, int zeroPoint) {
    base.quantize(memory, x, y, count, scale, zeroPoint);
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
    base.decode(memory, x, y, count, signed, zeroPoint, scale);
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
    base.encode(memory, x, y, count, signed, zeroPoint, scale);
  }

  @Override
  public void requantize(
      MemorySegment memory, long x, long y, long count, float factor, float low, float high) {
    base.requantize(memory, x, y, count, factor, low, high);
  }

  @Override
  public void addCodes(MemorySegment memory, long a, long b, long y, long count, CodeSum sum) {
    base.addCodes(memory, a, b, y, count, sum);
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
    base.multiplyCodes(memory, a, b, single, y, count, product);
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
    base.clamp(memory, x, y, count, factor, shift, low, high);
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
    base.dequantize(memory, y, width, from, to, scale, scales, bias, residual);
  }

  @Override
  public void product(MemorySegment memory, long a, long b, long y, int m, int n, int k) {
    base.product(memory, a, b, y, m, n, k);
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
    base.gather(memory, x, step, planes, stretches, count, outside, y, width);
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
    base.weightedSum(memory, rows, count, width, weights, at, bias, y);
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
    base.slide(memory, x, taps, pitch, weights, at, bias, y, rows, width);
  }

  @Override
  public void slideMaximum(
      MemorySegment memory, long x, int[] taps, int pitch, long y, int rows, int width) {
    base.slideMaximum(memory, x, taps, pitch, y, rows, width);
  }

  @Override
  public void copyRows(
      MemorySegment memory, long x, int step, int xPitch, long y, int yPitch, int rows, int width) {
    base.copyRows(memory, x, step, xPitch, y, yPitch, rows, width);
  }

  @Override
  public void interleave(
      MemorySegment memory, long a, long b, int pitch, long y, int yPitch, int rows, int width) {
    base.interleave(memory, a, b, pitch, y, yPitch, rows, width);
  }

  @Override
  public void winogradInput(MemorySegment memory, long x, long step, int channels, int width) {
    base.winogradInput(memory, x, step, channels, width);
  }

  @Override
  public void winogradOutput(
      MemorySegment memory, long y, long step, int from, int to, int width, float[] bias) {
    base.winogradOutput(memory, y, step, from, to, width, bias);
  }

  @Override
  public void toPanel(
      MemorySegment memory, long rows, long panel, int width, int used, int features) {
    base.toPanel(memory, rows, panel, width, used, features);
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
    base.fromPanel(memory, panel, width, used, features, target, rows);
  }
}
