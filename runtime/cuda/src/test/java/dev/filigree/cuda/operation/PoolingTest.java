package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.operation.Pooling.Extent;
import dev.filigree.cuda.operation.Pooling.Kind;
import dev.filigree.cuda.operation.Pooling.Window;
import dev.filigree.testing.Samples;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Pooling against loops in double precision: the greatest exactly, means within 1 unit. */
class PoolingTest extends OperationTest {
  private static Tensor reference(Kind kind, Window window, Tensor x, Extent result) {
    int batch = (int) x.shape().extent(0);
    int height = (int) x.shape().extent(1);
    int width = (int) x.shape().extent(2);
    int channels = (int) x.shape().extent(3);
    Tensor y = Tensor.zeros(x.dtype(), Shape.of(batch, result.height(), result.width(), channels));
    long at = 0;
    for (int b = 0; b < batch; b++) {
      for (int oh = 0; oh < result.height(); oh++) {
        for (int ow = 0; ow < result.width(); ow++) {
          for (int c = 0; c < channels; c++) {
            double max = Double.NEGATIVE_INFINITY;
            double sum = 0;
            int count = 0;
            for (int h = 0; h < window.size().height(); h++) {
              for (int w = 0; w < window.size().width(); w++) {
                int row =
                    oh * window.stride().height()
                        - window.padding().height()
                        + h * window.dilation().height();
                int column =
                    ow * window.stride().width()
                        - window.padding().width()
                        + w * window.dilation().width();
                if (row >= 0 && row < height && column >= 0 && column < width) {
                  double value =
                      x.getDouble((((long) b * height + row) * width + column) * channels + c);
                  max = Math.max(max, value);
                  sum += value;
                  count++;
                }
              }
            }
            int all = window.size().height() * window.size().width();
            y.setDouble(
                at++,
                switch (kind) {
                  case MAX -> max;
                  case AVERAGE -> sum / count;
                  case AVERAGE_WITH_PADDING -> sum / all;
                });
          }
        }
      }
    }
    return y;
  }

  @ParameterizedTest
  @EnumSource
  void poolsAnyWindow(Kind kind) {
    Samples samples = new Samples(kind.ordinal());
    Extent one = new Extent(1, 1);
    List<Window> windows =
        List.of(
            new Window(new Extent(3, 3), new Extent(2, 2), one, one),
            new Window(new Extent(2, 3), one, new Extent(0, 1), one),
            new Window(new Extent(2, 2), new Extent(1, 2), one, new Extent(2, 1)),
            Window.over(new Extent(7, 6)));
    for (DType dtype : List.of(DType.F16, DType.BF16)) {
      for (int channels : new int[] {1, 8, 13, 64}) {
        Tensor x = withSpecials(samples, dtype, 2, 7, 6, channels);
        for (Window window : windows) {
          Extent result = new Extent(result(7, window, true), result(6, window, false));
          Rows y = room(dtype, Shape.of(2, result.height(), result.width(), channels), 1);
          run(Pooling.pool(kernels, kind, window, 2, upload(x), new Extent(7, 6), y, result));
          assertNear(
              reference(kind, window, x, result),
              download(y, 2, result.height(), result.width(), channels),
              kind == Kind.MAX ? 0 : 1,
              kind == Kind.MAX ? 0 : 0x1p-20);
        }
      }
    }
  }

  private static int result(int extent, Window window, boolean height) {
    int size = height ? window.size().height() : window.size().width();
    int stride = height ? window.stride().height() : window.stride().width();
    int padding = height ? window.padding().height() : window.padding().width();
    int dilation = height ? window.dilation().height() : window.dilation().width();
    return (extent + 2 * padding - dilation * (size - 1) - 1) / stride + 1;
  }
}
