package dev.filigree.cuda.operation;

import dev.filigree.cuda.driver.Kernel;
import java.util.List;

/** Quantisation of images to int8, see {@code convolution/quantize_images.cu}. */
public final class ImageQuantization {
  /** Blocks that share an image: enough to fill a device by a few images. */
  private static final int MOST_BLOCKS = 64;

  private static final int PER_THREAD = 8;

  private ImageQuantization() {}

  /**
   * Launches it, in two steps.
   *
   * @param x {@code [batch * pixels, channels]} in f16
   * @param magnitudes address of f32 {@code [batch]}, all 0
   * @param y i8, of x's extents
   * @param scales address of f32 {@code [batch * outPixels]}: each image's, repeated
   */
  public static List<Launch> quantize(
      OperationKernels kernels,
      int batch,
      Rows x,
      long magnitudes,
      Rows y,
      long scales,
      int outPixels) {
    int pixels = Math.toIntExact(x.rows() / batch);
    Kernel first = kernels.kernel("image_magnitudes_f16");
    long threads = (long) pixels * x.pitch() / PER_THREAD;
    long blocks = Math.clamp(Math.ceilDiv(threads, first.entry().threads()), 1, MOST_BLOCKS);
    Launch measured =
        OperationKernels.launch(
            first,
            blocks,
            batch,
            arguments ->
                arguments
                    .pointer("x", x.address())
                    .pointer("magnitudes", magnitudes)
                    .i32("pixels", pixels)
                    .i32("pitchX", x.pitch()));
    Launch rounded =
        OperationKernels.eights(
            kernels.kernel("quantize_images_f16"),
            y.rows(),
            y.pitch(),
            arguments ->
                arguments
                    .pointer("x", x.address())
                    .pointer("magnitudes", magnitudes)
                    .pointer("y", y.address())
                    .pointer("tokenScales", scales)
                    .i32("rows", Math.toIntExact(y.rows()))
                    .i32("pixels", pixels)
                    .i32("outPixels", outPixels)
                    .i32("pitchX", x.pitch())
                    .i32("pitchY", y.pitch()));
    return List.of(measured, rounded);
  }
}
