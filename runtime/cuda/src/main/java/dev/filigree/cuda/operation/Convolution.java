package dev.filigree.cuda.operation;

import dev.filigree.cuda.driver.Arguments;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.cuda.layout.ConvolutionWeights;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.operation.Pooling.Extent;
import dev.filigree.cuda.operation.Pooling.Window;
import dev.filigree.kernels.cuda.KernelEntry;
import java.util.Map;

/** Convolutions of images {@code [batch, height, width, channels]}. */
public final class Convolution {
  private Convolution() {}

  /**
   * A window over images.
   *
   * @param window and how it moves; of a transposed convolution, how it would over the result
   * @param image extents of x
   * @param result extents of y
   */
  public record Geometry(Window window, Extent image, Extent result) {
    /** Elements of the window. */
    public int taps() {
      return window.size().height() * window.size().width();
    }

    void into(Arguments arguments) {
      arguments
          .i32("height", image.height())
          .i32("width", image.width())
          .i32("outHeight", result.height())
          .i32("outWidth", result.width())
          .i32("windowHeight", window.size().height())
          .i32("windowWidth", window.size().width())
          .i32("strideHeight", window.stride().height())
          .i32("strideWidth", window.stride().width())
          .i32("padTop", window.padding().height())
          .i32("padLeft", window.padding().width())
          .i32("dilationHeight", window.dilation().height())
          .i32("dilationWidth", window.dilation().width());
    }
  }

  /** Chunks of 16 bytes of K that the kernels count, and places that fit half a word. */
  private static final int MOST = 1 << 15;

  private static final int CHUNK = 16;

  /**
   * Whether the kernels on tensor cores take it: their arithmetic of places is of 16 and 32 bits.
   *
   * @param x {@code [batch * height * width, channels]}
   */
  public static boolean fitsPatches(Geometry geometry, long batch, int pitchBytes) {
    Window window = geometry.window;
    long span =
        Math.max(
            (long) window.size().height() * window.dilation().height(),
            (long) window.size().width() * window.dilation().width());
    long edge = Math.max(geometry.image.height(), geometry.image.width());
    long padding = Math.max(window.padding().height(), window.padding().width());
    long chunks =
        (batch + 1) * geometry.image.height() * geometry.image.width() * pitchBytes / CHUNK;
    return (long) geometry.taps() * pitchBytes / CHUNK < MOST
        && edge + padding + span < MOST
        && chunks <= Integer.MAX_VALUE - (long) MOST * pitchBytes;
  }

  /**
   * Launches a kernel on tensor cores, {@code convolution/patches.cuh}.
   *
   * @param weights addresses by the names of the parameters: w, and of those the kernel takes meta
   *     and scales
   * @param tokenScales address of a scale for each pixel of y, of i8 images
   * @param x {@code [batch * height * width, channels]}, f16 or i8; its pitch the least
   * @param y {@code [batch * outHeight * outWidth, outputs]}, f16 or f32
   * @param workspace address, 0 where no tile is shared
   */
  public static Launch patches(
      OperationKernels kernels,
      KernelEntry entry,
      LinearGrid grid,
      Geometry geometry,
      Map<String, Long> weights,
      long tokenScales,
      Rows x,
      LinearEpilogue epilogue,
      Rows y,
      long workspace) {
    Kernel kernel = kernels.kernel(entry.entry());
    return OperationKernels.launch(
        kernel,
        grid.blocks(),
        1,
        arguments -> {
          weights.forEach(arguments::pointer);
          if (tokenScales != 0) {
            arguments.pointer("tokenScales", tokenScales);
          }
          arguments
              .pointer("x", x.address())
              .i32("columns", geometry.taps() * x.pitch())
              .i32("wide", LinearEpilogue.wide(epilogue.residual(), y))
              .pointer("workspace", workspace);
          finish(arguments, geometry, x, epilogue, y);
        });
  }

  private static void finish(
      Arguments arguments, Geometry geometry, Rows x, LinearEpilogue epilogue, Rows y) {
    arguments
        .pointer("bias", epilogue.bias())
        .pointer("residual", Rows.addressOf(epilogue.residual()))
        .pointer("y", y.address())
        .i32("tokens", Math.toIntExact(y.rows()))
        .i32("rows", y.columns())
        .i32("pitchX", x.pitch())
        .i32("pitchY", y.pitch())
        .i32("pitchResidual", Rows.pitchOf(epilogue.residual()))
        .i32("activationKind", LinearEpilogue.kind(epilogue.activation()));
    geometry.into(arguments);
  }

  /** Which of the direct kernels. */
  public enum Direct {
    /** One channel for each output. */
    DEPTHWISE("convolution_depthwise"),
    /** Any groups. */
    GROUPED("convolution_direct"),
    /** Transposed, any groups. */
    TRANSPOSED("convolution_transposed");

    private final String kernel;

    Direct(String kernel) {
      this.kernel = kernel;
    }

    /** Name of the kernel, without the element type. */
    public String kernel() {
      return kernel;
    }
  }

  /**
   * Launches a kernel without tensor cores, {@code convolution/convolution_direct.cu}.
   *
   * @param w address of weights as {@link ConvolutionWeights#direct} lays them out
   * @param x {@code [batch * height * width, channels]} in f16
   * @param y {@code [batch * outHeight * outWidth, outputs]} in f16
   */
  public static Launch direct(
      OperationKernels kernels,
      Direct direct,
      int groups,
      Geometry geometry,
      long w,
      Rows x,
      LinearEpilogue epilogue,
      Rows y) {
    return OperationKernels.eights(
        kernels.typed(direct.kernel, x.dtype()),
        y.rows(),
        y.pitch(),
        arguments -> {
          arguments
              .pointer("x", x.address())
              .pointer("w", w)
              .i32("pitchW", ConvolutionWeights.pitch(y.columns()))
              .i32("groupInputs", x.columns() / groups)
              .i32("groupOutputs", y.columns() / groups);
          finish(arguments, geometry, x, epilogue, y);
        });
  }
}
