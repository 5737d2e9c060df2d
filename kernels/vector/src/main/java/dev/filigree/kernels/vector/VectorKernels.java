package dev.filigree.kernels.vector;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.CodeProduct;
import dev.filigree.spi.CodeSum;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearOption;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The set of Vector API kernels. */
final class VectorKernels implements Kernels {
  @Override
  public String name() {
    return "vector " + Lanes.bits() + "-bit";
  }

  @Override
  public int lanes() {
    return Lanes.COUNT;
  }

  @Override
  public List<LinearOption> linear(Weights weights) {
    LinearOption dense = new VectorOption(weights, VectorOption.Form.DENSE);
    if (StoredRows.of(weights).isPresent()) {
      LinearOption asStored = new StoredOption(weights);
      return StoredRows.stay(weights) ? List.of(asStored) : List.of(asStored, dense);
    }
    if (weights.density() == 1) {
      return List.of(dense);
    }
    List<LinearOption> options = new ArrayList<>();
    if (SharedKernel.fits(weights)) {
      options.add(new VectorOption(weights, VectorOption.Form.SHARED));
    }
    options.add(new VectorOption(weights, VectorOption.Form.KEPT));
    options.add(new VectorOption(weights, VectorOption.Form.FEW_TOKENS));
    if (SelectRows.fits(weights)) {
      options.add(new VectorOption(weights, VectorOption.Form.SELECT));
    }
    options.add(dense);
    return List.copyOf(options);
  }

  @Override
  public void start(
      MemorySegment memory, long y, int width, int from, int to, float[] bias, long residual) {
    long base = memory.address();
    Vertical.start(base + y, width, from, to, bias, residual < 0 ? 0 : base + residual);
  }

  @Override
  public void activate(Activation activation, MemorySegment memory, long x, long count) {
    Elementwise.activate(activation, memory.address() + x, count);
  }

  @Override
  public void add(MemorySegment memory, long a, long b, long y, long count) {
    long base = memory.address();
    Elementwise.add(base + a, base + b, base + y, count);
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
    long base = memory.address();
    Combination.run(operation, base + a, stepA, base + b, stepB, base + y, count);
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
    long base = memory.address();
    if (width == 1) {
      Horizontal.layerNormalization(base + x, base + y, features, scale, bias, epsilon);
    } else {
      Vertical.layerNormalization(base + x, base + y, width, features, scale, bias, epsilon);
    }
  }

  @Override
  public void softmax(MemorySegment memory, long x, long y, int count) {
    long base = memory.address();
    Horizontal.softmax(base + x, base + y, count);
  }

  @Override
  public int attentionScratch(AttentionCall call) {
    return AttentionKernel.floats(call);
  }

  @Override
  public long attentionBytes(AttentionCall call) {
    return AttentionKernel.bytes(call);
  }

  @Override
  public void attend(AttentionCall call, int batch, int head, float[] heap, long scratch) {
    AttentionKernel.attend(call, batch, head, heap, call.memory().address() + scratch);
  }

  @Override
  public void range(MemorySegment memory, long x, long count, float[] range) {
    Elementwise.range(memory.address() + x, count, range);
  }

  @Override
  public void quantize(
      MemorySegment memory, long x, long y, long count, float scale, int zeroPoint) {
    long base = memory.address();
    Elementwise.quantize(base + x, base + y, count, scale, zeroPoint);
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
    long base = memory.address();
    Codes.decode(base + x, base + y, count, signed, zeroPoint, scale);
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
    long base = memory.address();
    Codes.encode(base + x, base + y, count, signed, zeroPoint, scale);
  }

  @Override
  public void requantize(
      MemorySegment memory, long x, long y, long count, float factor, float low, float high) {
    long base = memory.address();
    Codes.requantize(base + x, base + y, count, factor, low, high);
  }

  @Override
  public void addCodes(MemorySegment memory, long a, long b, long y, long count, CodeSum sum) {
    long base = memory.address();
    Codes.add(base + a, base + b, base + y, count, sum);
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
    long base = memory.address();
    if (single) {
      float factor = Lanes.ALL.get(DType.FLOAT, base + b);
      Codes.scale(base + a, factor, base + y, count, product);
    } else {
      Codes.multiply(base + a, base + b, base + y, count, product);
    }
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
    long base = memory.address();
    Elementwise.clamp(base + x, base + y, count, factor, shift, low, high);
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
    long base = memory.address();
    long added = residual < 0 ? 0 : base + residual;
    Vertical.dequantize(base + y, width, from, to, scale, scales, bias, added);
  }

  @Override
  public void toPanel(
      MemorySegment memory, long rows, long panel, int width, int used, int features) {
    long base = memory.address();
    Transposition.toPanel(base + rows, base + panel, width, used, features);
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
    Transposition.fromPanel(memory.address() + panel, width, used, features, target, rows);
  }

  @Override
  public void product(MemorySegment memory, long a, long b, long y, int m, int n, int k) {
    long base = memory.address();
    RowProduct.multiply(base + a, base + b, base + y, m, n, k);
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
    long base = memory.address();
    PanelRows.gather(base + x, step, planes, base + stretches, count, outside, base + y, width);
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
    long base = memory.address();
    PanelRows.weightedSum(base + rows, count, width, weights, at, bias, base + y);
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
    long base = memory.address();
    SlidingWindow.sum(base + x, taps, pitch, weights, at, bias, base + y, rows, width);
  }

  @Override
  public void slideMaximum(
      MemorySegment memory, long x, int[] taps, int pitch, long y, int rows, int width) {
    long base = memory.address();
    SlidingWindow.maximum(base + x, taps, pitch, base + y, rows, width);
  }

  @Override
  public void copyRows(
      MemorySegment memory, long x, int step, int xPitch, long y, int yPitch, int rows, int width) {
    long base = memory.address();
    SlidingWindow.copy(base + x, step, xPitch, base + y, yPitch, rows, width);
  }

  @Override
  public void interleave(
      MemorySegment memory, long a, long b, int pitch, long y, int yPitch, int rows, int width) {
    long base = memory.address();
    WinogradTiles.interleave(base + a, base + b, pitch, base + y, yPitch, rows, width);
  }

  @Override
  public void winogradInput(MemorySegment memory, long x, long step, int channels, int width) {
    WinogradTiles.input(memory.address() + x, step, channels, width);
  }

  @Override
  public void winogradOutput(
      MemorySegment memory, long y, long step, int from, int to, int width, float[] bias) {
    WinogradTiles.output(memory.address() + y, step, from, to, width, bias);
  }
}
