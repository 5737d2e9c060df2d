package dev.filigree.cuda.operation;

/** Pooling of images, {@code [batch, height, width, channels]}. */
public final class Pooling {
  private Pooling() {}

  /** What a window folds to. */
  public enum Kind {
    MAX("max_pool"),
    /** Of the places that exist. */
    AVERAGE("average_pool"),
    /** Of all places of the window, those beyond the image as zeros. */
    AVERAGE_WITH_PADDING("average_pool");

    private final String kernel;

    Kind(String kernel) {
      this.kernel = kernel;
    }
  }

  /** Height and width of something. */
  public record Extent(int height, int width) {}

  /** A window and how it moves; its padding is that above and to the left. */
  public record Window(Extent size, Extent stride, Extent padding, Extent dilation) {
    /** The window that covers an image, for global pooling. */
    public static Window over(Extent image) {
      Extent one = new Extent(1, 1);
      return new Window(image, one, new Extent(0, 0), one);
    }
  }

  /**
   * Launches it.
   *
   * @param x {@code [batch * height * width, channels]} in f16 or bf16
   * @param y {@code [batch * outHeight * outWidth, channels]} of the same type
   */
  public static Launch pool(
      OperationKernels kernels,
      Kind kind,
      Window window,
      int batch,
      Rows x,
      Extent image,
      Rows y,
      Extent result) {
    return OperationKernels.eights(
        kernels.typed(kind.kernel, x.dtype()),
        y.rows(),
        y.pitch(),
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("y", y.address())
                .i32("batch", batch)
                .i32("height", image.height)
                .i32("width", image.width)
                .i32("outHeight", result.height)
                .i32("outWidth", result.width)
                .i32("channels", x.columns())
                .i32("windowHeight", window.size.height)
                .i32("windowWidth", window.size.width)
                .i32("strideHeight", window.stride.height)
                .i32("strideWidth", window.stride.width)
                .i32("padTop", window.padding.height)
                .i32("padLeft", window.padding.width)
                .i32("dilationHeight", window.dilation.height)
                .i32("dilationWidth", window.dilation.width)
                .i32("countPadding", kind == Kind.AVERAGE_WITH_PADDING ? 1 : 0)
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch()));
  }
}
