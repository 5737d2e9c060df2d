package dev.filigree.kernel.scalar;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.CodeProduct;
import dev.filigree.spi.CodeSum;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearOption;
import dev.filigree.spi.OneCode;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * Kernels in plain Java: the twin every fast kernel is tested against, and what serves where no
 * other can. Sums are in double, except those of linear layers, which are in float along the
 * inputs.
 */
public final class ScalarKernels implements Kernels {
  /** Operations a nanosecond, measured on one core of a server; only ranks kernels of this set. */
  static final double MULTIPLY_ADDS_PER_NANO = 1.0;

  @Override
  public String name() {
    return "scalar";
  }

  /** One: its panels need no padding. The kernels take panels of any other set as well. */
  @Override
  public int lanes() {
    return 1;
  }

  @Override
  public List<LinearOption> linear(Weights weights) {
    return weights.density() < 1
        ? List.of(new ScalarLinear.Option(weights, true), new ScalarLinear.Option(weights, false))
        : List.of(new ScalarLinear.Option(weights, false));
  }

  static float get(MemorySegment memory, long offset) {
    return memory.get(DType.FLOAT, offset);
  }

  static void set(MemorySegment memory, long offset, double value) {
    memory.set(DType.FLOAT, offset, (float) value);
  }

  @Override
  public void start(
      MemorySegment memory, long y, int width, int from, int to, float[] bias, long residual) {
    for (int row = from; row < to; row++) {
      for (int t = 0; t < width; t++) {
        long at = ((long) row * width + t) * Float.BYTES;
        float value = bias == null ? 0 : bias[row];
        set(memory, y + at, residual < 0 ? value : value + get(memory, residual + at));
      }
    }
  }

  @Override
  public void activate(Activation activation, MemorySegment memory, long x, long count) {
    for (long i = 0; i < count; i++) {
      long at = x + i * Float.BYTES;
      set(memory, at, activation.apply(get(memory, at)));
    }
  }

  @Override
  public void add(MemorySegment memory, long a, long b, long y, long count) {
    for (long i = 0; i < count * Float.BYTES; i += Float.BYTES) {
      set(memory, y + i, get(memory, a + i) + get(memory, b + i));
    }
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
    for (long i = 0; i < count * Float.BYTES; i += Float.BYTES) {
      float left = get(memory, a + i * stepA);
      set(memory, y + i, operation.apply(left, get(memory, b + i * stepB)));
    }
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
    long step = (long) width * Float.BYTES;
    for (int t = 0; t < width; t++) {
      long column = (long) t * Float.BYTES;
      double sum = 0;
      for (int f = 0; f < features; f++) {
        sum += get(memory, x + column + f * step);
      }
      double mean = sum / features;
      double squares = 0;
      for (int f = 0; f < features; f++) {
        double d = get(memory, x + column + f * step) - mean;
        squares += d * d;
      }
      double inverse = 1 / Math.sqrt(squares / features + epsilon);
      for (int f = 0; f < features; f++) {
        double normal = (get(memory, x + column + f * step) - mean) * inverse * scale[f];
        set(memory, y + column + f * step, bias == null ? normal : normal + bias[f]);
      }
    }
  }

  @Override
  public void softmax(MemorySegment memory, long x, long y, int count) {
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      max = Math.max(max, get(memory, x + (long) i * Float.BYTES));
    }
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += Math.exp(get(memory, x + (long) i * Float.BYTES) - max);
    }
    for (int i = 0; i < count; i++) {
      long at = (long) i * Float.BYTES;
      set(memory, y + at, Math.exp(get(memory, x + at) - max) / sum);
    }
  }

  @Override
  public int attentionScratch(AttentionCall call) {
    return call.keys();
  }

  @Override
  public long attentionBytes(AttentionCall call) {
    return 0;
  }

  @Override
  public void attend(AttentionCall call, int batch, int head, float[] heap, long scratch) {
    int keyHead = call.form().keyHead(head);
    for (int i = 0; i < call.queries(); i++) {
      int query = call.firstQuery(batch) + i;
      double max = Double.NEGATIVE_INFINITY;
      for (int j = 0; j < call.keys(); j++) {
        int key = call.firstKey(batch) + j;
        double score = 0;
        for (int d = 0; d < call.width(); d++) {
          score +=
              (double) asking(call, call.q(), query, head * call.width() + d)
                  * answering(call, call.k(), key, keyHead * call.width() + d);
        }
        score = score * call.form().scale() / call.form().divisor();
        if (call.mask() >= 0) {
          score += call.maskAt(batch, head, i, j);
        }
        heap[j] = (float) score;
        max = Math.max(max, heap[j]);
      }
      double sum = 0;
      for (int j = 0; j < call.keys(); j++) {
        heap[j] = (float) Math.exp(heap[j] - max);
        sum += heap[j];
      }
      boolean none = call.form().guarded() && Double.isNaN(sum);
      if (none) {
        Arrays.fill(heap, 0, call.keys(), 0);
      }
      for (int d = 0; d < call.width(); d++) {
        int value = keyHead * call.width() + d;
        double context = 0;
        for (int j = 0; j < call.keys(); j++) {
          context += (double) heap[j] * answering(call, call.v(), call.firstKey(batch) + j, value);
        }
        long to =
            place(call.queryPanels(), call.features(), call.y(), query, head * call.width() + d);
        set(call.memory(), to, context / (none ? 1 : sum));
      }
    }
  }

  private static float asking(AttentionCall call, long matrix, int token, int feature) {
    return get(call.memory(), place(call.queryPanels(), call.features(), matrix, token, feature));
  }

  private static float answering(AttentionCall call, long matrix, int token, int feature) {
    return get(call.memory(), place(call.keyPanels(), call.keyFeatures(), matrix, token, feature));
  }

  private static long place(Panels panels, int features, long matrix, int token, int feature) {
    int panel = panels.of(token);
    return matrix
        + panels.offset(panel, features)
        + ((long) feature * panels.width(panel) + token - panels.start(panel)) * Float.BYTES;
  }

  @Override
  public void range(MemorySegment memory, long x, long count, float[] range) {
    for (long i = 0; i < count; i++) {
      float value = get(memory, x + i * Float.BYTES);
      range[0] = Math.min(range[0], value);
      range[1] = Math.max(range[1], value);
    }
  }

  @Override
  public void quantize(
      MemorySegment memory, long x, long y, long count, float scale, int zeroPoint) {
    for (long i = 0; i < count * Float.BYTES; i += Float.BYTES) {
      float quotient = get(memory, x + i) / scale;
      set(memory, y + i, OneCode.requantized(quotient, 1, -zeroPoint, 255 - zeroPoint));
    }
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
    ScalarCodes.decode(memory, x, y, count, signed, zeroPoint, scale);
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
    ScalarCodes.encode(memory, x, y, count, signed, zeroPoint, scale);
  }

  @Override
  public void requantize(
      MemorySegment memory, long x, long y, long count, float factor, float low, float high) {
    ScalarCodes.requantize(memory, x, y, count, factor, low, high);
  }

  @Override
  public void addCodes(MemorySegment memory, long a, long b, long y, long count, CodeSum sum) {
    ScalarCodes.addCodes(memory, a, b, y, count, sum);
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
    ScalarCodes.multiplyCodes(memory, a, b, single, y, count, product);
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
    for (long i = 0; i < count * Float.BYTES; i += Float.BYTES) {
      float value = get(memory, x + i) * factor + shift;
      set(memory, y + i, Math.min(Math.max(value, low), high));
    }
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
    for (int row = from; row < to; row++) {
      float factor = scale * scales[row];
      for (int t = 0; t < width; t++) {
        long at = ((long) row * width + t) * Float.BYTES;
        float value = get(memory, y + at) * factor;
        value = bias == null ? value : value + bias[row];
        set(memory, y + at, residual < 0 ? value : value + get(memory, residual + at));
      }
    }
  }

  @Override
  public void interleave(
      MemorySegment memory, long a, long b, int pitch, long y, int yPitch, int rows, int width) {
    ScalarWinograd.interleave(memory, a, b, pitch, y, yPitch, rows, width);
  }

  @Override
  public void winogradInput(MemorySegment memory, long x, long step, int channels, int width) {
    ScalarWinograd.input(memory, x, step, channels * width);
  }

  @Override
  public void winogradOutput(
      MemorySegment memory, long y, long step, int from, int to, int width, float[] bias) {
    ScalarWinograd.output(memory, y, step, from, to, width, bias);
  }

  @Override
  public void toPanel(
      MemorySegment memory, long rows, long panel, int width, int used, int features) {
    for (int f = 0; f < features; f++) {
      for (int t = 0; t < width; t++) {
        float value = t < used ? get(memory, rows + ((long) t * features + f) * Float.BYTES) : 0;
        set(memory, panel + ((long) f * width + t) * Float.BYTES, value);
      }
    }
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
    for (int t = 0; t < used; t++) {
      for (int f = 0; f < features; f++) {
        set(
            target,
            rows + ((long) t * features + f) * Float.BYTES,
            get(memory, panel + ((long) f * width + t) * Float.BYTES));
      }
    }
  }

  @Override
  public void product(MemorySegment memory, long a, long b, long y, int m, int n, int k) {
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        double sum = 0;
        for (int p = 0; p < k; p++) {
          float left = get(memory, a + ((long) i * k + p) * Float.BYTES);
          sum += (double) left * get(memory, b + ((long) p * n + j) * Float.BYTES);
        }
        set(memory, y + ((long) i * n + j) * Float.BYTES, sum);
      }
    }
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
    for (int c = 0; c < planes; c++) {
      for (int s = 0; s < count; s++) {
        long stretch = stretches + 12L * s;
        long to = y + ((long) c * width + memory.get(DType.INT, stretch)) * Float.BYTES;
        int from = memory.get(DType.INT, stretch + 4);
        int length = memory.get(DType.INT, stretch + 8);
        for (int i = 0; i < length; i++) {
          float value =
              from < 0 ? outside : get(memory, x + c * step + (from + i) * (long) Float.BYTES);
          set(memory, to + (long) i * Float.BYTES, value);
        }
      }
    }
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
    for (int i = 0; i < width; i++) {
      double sum = bias;
      for (int r = 0; r < count; r++) {
        sum += (double) weights[at + r] * get(memory, rows + ((long) r * width + i) * Float.BYTES);
      }
      set(memory, y + (long) i * Float.BYTES, sum);
    }
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
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < width; i++) {
        long from = (long) r * pitch + i;
        double sum = bias;
        for (int t = 0; t < taps.length; t++) {
          sum += (double) weights[at + t] * get(memory, x + (from + taps[t]) * Float.BYTES);
        }
        set(memory, y + ((long) r * width + i) * Float.BYTES, sum);
      }
    }
  }

  @Override
  public void slideMaximum(
      MemorySegment memory, long x, int[] taps, int pitch, long y, int rows, int width) {
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < width; i++) {
        long from = (long) r * pitch + i;
        float max = Float.NEGATIVE_INFINITY;
        for (int tap : taps) {
          max = Math.max(max, get(memory, x + (from + tap) * Float.BYTES));
        }
        set(memory, y + ((long) r * width + i) * Float.BYTES, max);
      }
    }
  }

  @Override
  public void copyRows(
      MemorySegment memory, long x, int step, int xPitch, long y, int yPitch, int rows, int width) {
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < width; i++) {
        float value = get(memory, x + ((long) r * xPitch + (long) i * step) * Float.BYTES);
        set(memory, y + ((long) r * yPitch + i) * Float.BYTES, value);
      }
    }
  }
}
