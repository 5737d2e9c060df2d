package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.layout.ConvolutionWeights;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.cuda.operation.Convolution.Direct;
import dev.filigree.cuda.operation.Convolution.Geometry;
import dev.filigree.cuda.operation.Pooling.Extent;
import dev.filigree.cuda.operation.Pooling.Window;
import dev.filigree.kernel.Activation;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Convolutions against loops in double precision over the numbers the kernels are given: within a
 * unit of f16, for the one rounding of the result, and what sums in f32 lose.
 */
class ConvolutionTest extends OperationTest {
  /** Of sums of products of numbers of size 1, a term. */
  private static final double SUMS = 1e-6;

  /** Channels of x, outputs, and how a window moves over an image. */
  private record Case(int batch, int channels, int outputs, int groups, Geometry geometry) {
    int columns() {
      return geometry.taps() * channels / groups;
    }
  }

  private static Case of(
      int batch, Extent image, int channels, int outputs, int groups, Window window) {
    return new Case(
        batch,
        channels,
        outputs,
        groups,
        new Geometry(
            window,
            image,
            new Extent(
                result(
                    image.height(),
                    window.size().height(),
                    window.stride().height(),
                    window.padding().height(),
                    window.dilation().height()),
                result(
                    image.width(),
                    window.size().width(),
                    window.stride().width(),
                    window.padding().width(),
                    window.dilation().width()))));
  }

  private static int result(int extent, int size, int stride, int padding, int dilation) {
    return (extent + 2 * padding - dilation * (size - 1) - 1) / stride + 1;
  }

  private static Extent by(int height, int width) {
    return new Extent(height, width);
  }

  private static final Window THREE = new Window(by(3, 3), by(1, 1), by(1, 1), by(1, 1));

  /** Odd channels, strides, paddings, dilations, a row, more than a tile of pixels and outputs. */
  private static List<Case> cases() {
    return List.of(
        of(2, by(7, 6), 3, 5, 1, THREE),
        of(4, by(9, 8), 16, 20, 1, new Window(by(3, 3), by(2, 2), by(1, 1), by(1, 1))),
        of(1, by(8, 9), 20, 70, 1, new Window(by(3, 2), by(1, 2), by(2, 0), by(2, 3))),
        of(1, by(1, 30), 8, 9, 1, new Window(by(1, 5), by(1, 3), by(0, 2), by(1, 1))),
        of(1, by(4, 4), 68, 130, 1, new Window(by(1, 1), by(1, 1), by(0, 0), by(1, 1))),
        of(1, by(12, 12), 36, 72, 1, THREE));
  }

  private static List<Case> grouped() {
    return List.of(
        of(2, by(7, 6), 13, 13, 13, new Window(by(3, 3), by(2, 1), by(1, 1), by(1, 1))),
        of(1, by(9, 9), 24, 24, 24, new Window(by(5, 5), by(1, 2), by(2, 2), by(1, 2))),
        of(1, by(6, 6), 12, 18, 3, THREE),
        of(1, by(5, 7), 10, 10, 5, new Window(by(2, 3), by(1, 1), by(0, 1), by(2, 1))));
  }

  /** Weights {@code [out, taps * channels]}, two of every four kept if they can be. */
  private static Weights weights(Samples samples, Case each, boolean sparse) {
    Dense dense =
        new Dense(
            Tensor.of(
                rounded(samples.normal(each.outputs * each.columns())),
                each.outputs,
                each.columns()));
    if (!sparse) {
      return dense;
    }
    int first = samples.between(0, 3);
    Mask mask =
        Mask.of(
            each.outputs,
            each.columns(),
            (r, c) -> c % 4 == (first + r) % 4 || c % 4 == (first + r + 1 + c / 4 % 3) % 4);
    return Sparse24.pack(
        dense, mask, (kept, r, n) -> new FloatValues(DType.F32, MemorySegment.ofArray(kept)));
  }

  private static float[] rounded(float[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.float16ToFloat(Float.floatToFloat16(values[i]));
    }
    return values;
  }

  private static Tensor reference(
      Case each, Tensor x, Weights weights, float[] bias, Tensor residual, Activation activation) {
    Geometry g = each.geometry;
    Window window = g.window();
    int inGroup = each.channels / each.groups;
    Tensor y = Tensor.zeros(DType.F16, shape(each));
    float[] row = new float[each.columns()];
    for (int out = 0; out < each.outputs; out++) {
      weights.unpackRow(out, row, 0);
      int first = out / (each.outputs / each.groups) * inGroup;
      for (int b = 0; b < each.batch; b++) {
        for (int oh = 0; oh < g.result().height(); oh++) {
          for (int ow = 0; ow < g.result().width(); ow++) {
            double sum = bias[out];
            for (int tap = 0; tap < g.taps(); tap++) {
              int ih =
                  oh * window.stride().height()
                      - window.padding().height()
                      + tap / window.size().width() * window.dilation().height();
              int iw =
                  ow * window.stride().width()
                      - window.padding().width()
                      + tap % window.size().width() * window.dilation().width();
              if (ih >= 0 && ih < g.image().height() && iw >= 0 && iw < g.image().width()) {
                long at = (((long) b * g.image().height() + ih) * g.image().width() + iw);
                for (int c = 0; c < inGroup; c++) {
                  sum += row[tap * inGroup + c] * x.getDouble(at * each.channels + first + c);
                }
              }
            }
            long at =
                (((long) b * g.result().height() + oh) * g.result().width() + ow) * each.outputs
                    + out;
            y.setDouble(at, activation.apply(sum + residual.getDouble(at)));
          }
        }
      }
    }
    return y;
  }

  private static Shape shape(Case each) {
    Extent result = each.geometry.result();
    return Shape.of(each.batch, result.height(), result.width(), each.outputs);
  }

  private static int tokens(Case each) {
    Extent result = each.geometry.result();
    return each.batch * result.height() * result.width();
  }

  static Stream<KernelEntry> kernels() {
    return MANIFEST.of("convolution").stream();
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void everyTileIsWhatTheLoopsSay(KernelEntry kernel) {
    WeightsForm form = kernel.weights().orElseThrow();
    boolean sparse = form.structure() == WeightsForm.Structure.SPARSE24;
    ActivationType type = kernel.activation().orElseThrow();
    Samples samples = new Samples(kernel.entry().hashCode());
    int seen = 0;
    for (Case each : cases()) {
      if (tokens(each) < kernel.tokensFrom() || tokens(each) > kernel.tokensTo()) {
        continue;
      }
      if (sparse && each.channels % Sparse24.GROUP != 0) {
        continue;
      }
      seen++;
      Extent image = each.geometry.image();
      Tensor x =
          normal(samples, DType.F16, each.batch, image.height(), image.width(), each.channels);
      Rows given = upload(x);
      long tokenScales = 0;
      if (type == ActivationType.I8) {
        given = room(DType.I8, x.shape(), 0);
        tokenScales = quantized(each, upload(x), given);
        x = values(download(given, x.shape().extents()), x);
      }
      Weights weights =
          ConvolutionWeights.patches(
              weights(samples, each, sparse), each.geometry.taps(), given.pitch(), form.values());
      float[] bias = samples.normal(each.outputs);
      Tensor residual = normal(samples, DType.F16, shape(each).extents());
      Activation activation = Activation.values()[seen % Activation.values().length];
      LinearGrid whole = LinearGrid.of(kernel, each.outputs, weights.columns(), tokens(each));
      Tensor expected =
          reference(each, x, logical(weights, each, given.pitch()), bias, residual, activation);
      for (LinearGrid grid : List.of(whole, whole.by(whole.blocks() + 1))) {
        Rows y = room(DType.F16, shape(each), seen % 2);
        try (Arena arena = Arena.ofShared()) {
          PackedWeights packed = PackedWeights.pack("test", weights, form, type, arena);
          Map<String, Long> parts = new HashMap<>();
          packed.parts().forEach((name, part) -> parts.put(name, upload(part).address()));
          run(
              Convolution.patches(
                  kernels,
                  kernel,
                  grid,
                  each.geometry,
                  parts,
                  tokenScales,
                  given,
                  new LinearEpilogue(parameters(bias), upload(residual, seen % 2), activation),
                  y,
                  workspace(grid)));
        }
        assertNear(
            expected, download(y, shape(each).extents()), 1, SUMS * weights.columns() + 1e-6);
      }
    }
    assertTrue(seen >= 2, kernel.entry() + " was tried on " + seen);
  }

  private long workspace(LinearGrid grid) {
    if (!grid.isShared()) {
      return 0;
    }
    DeviceMemory memory = allocate(grid.arrivalBytes() + grid.slotsBytes());
    stream.fill(memory.address(), grid.arrivalBytes(), (byte) 0);
    return memory.address();
  }

  /** The weights without the channels that pad them. */
  private static Weights logical(Weights padded, Case each, int pitch) {
    float[] values = new float[each.outputs * each.columns()];
    float[] row = new float[padded.columns()];
    for (int r = 0; r < each.outputs; r++) {
      padded.unpackRow(r, row, 0);
      for (int c = 0; c < each.columns(); c++) {
        values[r * each.columns() + c] = row[c / each.channels * pitch + c % each.channels];
      }
    }
    return new Dense(Tensor.of(values, each.outputs, each.columns()));
  }

  private long quantized(Case each, Rows x, Rows codes) {
    DeviceMemory magnitudes = allocate(4L * each.batch);
    stream.fill(magnitudes.address(), magnitudes.bytes(), (byte) 0);
    DeviceMemory scales = allocate(4L * tokens(each));
    ImageQuantization.quantize(
            kernels,
            each.batch,
            x,
            magnitudes.address(),
            codes,
            scales.address(),
            tokens(each) / each.batch)
        .forEach(this::run);
    return scales.address();
  }

  /** What codes stand for, after checking that they are the nearest ones. */
  private static Tensor values(Tensor codes, Tensor exact) {
    int batch = (int) exact.shape().extent(0);
    long each = exact.elements() / batch;
    Tensor values = Tensor.zeros(DType.F32, exact.shape());
    for (int b = 0; b < batch; b++) {
      float greatest = 0;
      for (long i = b * each; i < (b + 1) * each; i++) {
        greatest = Math.max(greatest, (float) Math.abs(exact.getDouble(i)));
      }
      for (long i = b * each; i < (b + 1) * each; i++) {
        float code = (float) exact.getDouble(i) * (127 / greatest);
        assertEquals((long) Math.rint(code), codes.getLong(i), "code " + i);
        values.setDouble(i, codes.getDouble(i) * (greatest / 127));
      }
    }
    return values;
  }

  @Test
  void groupsAreWhatTheLoopsSay() {
    Samples samples = new Samples(7);
    for (Case each : grouped()) {
      Extent image = each.geometry.image();
      Tensor x =
          normal(samples, DType.F16, each.batch, image.height(), image.width(), each.channels);
      Weights weights = weights(samples, each, false);
      float[] bias = samples.normal(each.outputs);
      Tensor residual = normal(samples, DType.F16, shape(each).extents());
      boolean depthwise = each.groups == each.channels && each.outputs == each.channels;
      for (Direct direct :
          depthwise ? List.of(Direct.DEPTHWISE, Direct.GROUPED) : List.of(Direct.GROUPED)) {
        Rows y = room(DType.F16, shape(each), 1);
        run(
            Convolution.direct(
                kernels,
                direct,
                each.groups,
                each.geometry,
                direct(weights, each.geometry.taps()),
                upload(x),
                new LinearEpilogue(parameters(bias), upload(residual, 1), Activation.RELU),
                y));
        assertNear(
            reference(each, x, weights, bias, residual, Activation.RELU),
            download(y, shape(each).extents()),
            1,
            SUMS * each.columns());
      }
    }
  }

  private long direct(Weights weights, int taps) {
    try (Arena arena = Arena.ofConfined()) {
      return upload(ConvolutionWeights.direct(weights, taps, arena)).address();
    }
  }

  /** Every element of the image adds the window, scaled by it, to the result. */
  @Test
  void transposedOnesAddUpWhatTheyShould() {
    Samples samples = new Samples(8);
    record Transposed(Extent image, Extent result, int in, int out, int groups, Window window) {}
    for (Transposed each :
        List.of(
            new Transposed(
                by(4, 5), by(8, 11), 6, 10, 1, new Window(by(3, 3), by(2, 2), by(1, 0), by(1, 1))),
            new Transposed(
                by(3, 3), by(7, 5), 8, 6, 2, new Window(by(3, 2), by(2, 1), by(1, 0), by(1, 2))))) {
      int taps = each.window.size().height() * each.window.size().width();
      int outputs = each.out / each.groups;
      Tensor x = normal(samples, DType.F16, 1, each.image.height(), each.image.width(), each.in);
      Tensor w =
          Tensor.of(rounded(samples.normal(each.in * outputs * taps)), each.in, outputs, taps);
      float[] bias = samples.normal(each.out);
      Tensor expected =
          Tensor.zeros(DType.F16, Shape.of(1, each.result.height(), each.result.width(), each.out));
      double[] sums = new double[(int) expected.elements()];
      for (int i = 0; i < x.elements(); i++) {
        int c = i % each.in;
        int ih = i / each.in / each.image.width();
        int iw = i / each.in % each.image.width();
        for (int o = 0; o < outputs; o++) {
          for (int tap = 0; tap < taps; tap++) {
            int oh =
                ih * each.window.stride().height()
                    - each.window.padding().height()
                    + tap / each.window.size().width() * each.window.dilation().height();
            int ow =
                iw * each.window.stride().width()
                    - each.window.padding().width()
                    + tap % each.window.size().width() * each.window.dilation().width();
            if (oh >= 0 && oh < each.result.height() && ow >= 0 && ow < each.result.width()) {
              int out = c / (each.in / each.groups) * outputs + o;
              sums[(oh * each.result.width() + ow) * each.out + out] +=
                  x.getDouble(i) * w.getDouble(((long) c * outputs + o) * taps + tap);
            }
          }
        }
      }
      for (int i = 0; i < sums.length; i++) {
        expected.setDouble(i, sums[i] + bias[i % each.out]);
      }
      Rows y = room(DType.F16, expected.shape(), 0);
      run(
          Convolution.direct(
              kernels,
              Direct.TRANSPOSED,
              each.groups,
              new Geometry(each.window, each.image, each.result),
              direct(ConvolutionWeights.transposed(w, each.groups), taps),
              upload(x),
              new LinearEpilogue(parameters(bias), null, Activation.NONE),
              y));
      assertNear(expected, download(y, expected.shape().extents()), 1, SUMS * each.in * taps);
    }
  }

  /** One image with a NaN, one of zeros, one as usual. */
  @Test
  void whatIsNoNumberStaysInItsImage() {
    Tensor x = normal(new Samples(9), DType.F16, 3, 4, 5, 12);
    x.setDouble(17, Double.NaN);
    for (int i = 0; i < 240; i++) {
      x.setDouble(240 + i, 0);
    }
    Rows codes = room(DType.I8, x.shape(), 0);
    DeviceMemory magnitudes = allocate(12);
    stream.fill(magnitudes.address(), 12, (byte) 0);
    DeviceMemory scales = allocate(3 * 4);
    ImageQuantization.quantize(
            kernels, 3, upload(x), magnitudes.address(), codes, scales.address(), 1)
        .forEach(this::run);
    float[] found = downloadFloats(scales, 3);
    Tensor all = download(codes, 3, 4, 5, 12);
    float greatest = 0;
    for (int i = 480; i < 720; i++) {
      greatest = Math.max(greatest, (float) Math.abs(x.getDouble(i)));
    }
    assertEquals(Float.NaN, found[0]);
    assertEquals(0, found[1]);
    assertEquals(greatest / 127, found[2]);
    for (int i = 0; i < 480; i++) {
      assertEquals(0, all.getLong(i), "code " + i);
    }
  }
}
