package dev.filigree.cuda.operation;

import dev.filigree.UnsupportedException;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.Tile;
import java.util.Comparator;
import java.util.Optional;

/** Attention of several heads, as {@link dev.filigree.kernel.fused.Attention} defines it. */
public final class Attention {
  /** A head's features are read in accesses of so many. */
  private static final int WIDTH_STEP = 8;

  private Attention() {}

  /**
   * What is attended to and by whom.
   *
   * @param batch sequences
   * @param heads heads of each
   * @param width features of a head, a multiple of 8 up to 128
   * @param queries tokens of a sequence that ask
   * @param keys tokens of a sequence that answer
   * @param scale factor of the scores
   * @param guarded whether a query all of whose keys are masked, or with a score of NaN, gets 0
   */
  public record Form(
      int batch, int heads, int width, int queries, int keys, float scale, boolean guarded) {}

  /**
   * An additive mask in f32.
   *
   * @param address of its first element
   * @param batchStep elements from one sequence to the next, 0 where it repeats
   * @param headStep the same for heads
   * @param queryStep the same for queries
   * @param keyStep the same for keys
   */
  public record Mask(long address, long batchStep, long headStep, long queryStep, long keyStep) {
    /** No mask. */
    public static final Mask NONE = new Mask(0, 0, 0, 0, 0);
  }

  /** Whether there is a kernel for heads of some features. */
  public static boolean supports(OperationKernels kernels, int width) {
    return width % WIDTH_STEP == 0 && narrowest(kernels, "f16", width).isPresent();
  }

  private static Optional<KernelEntry> narrowest(OperationKernels kernels, String type, int width) {
    return kernels.of("attention").stream()
        .filter(entry -> entry.entry().startsWith("attention_" + type + "_"))
        .filter(entry -> tile(entry).out() >= width)
        .min(Comparator.comparingInt(entry -> tile(entry).out()));
  }

  private static Tile tile(KernelEntry entry) {
    return entry.tile().orElseThrow();
  }

  /**
   * Launches it.
   *
   * @param q {@code [batch * queries, heads * width]} in f16 or bf16
   * @param k {@code [batch * keys, heads * width]}
   * @param v {@code [batch * keys, heads * width]}
   * @param y {@code [batch * queries, heads * width]}
   * @throws UnsupportedException if no kernel takes the width
   */
  public static Launch attend(
      OperationKernels kernels, Form form, Rows q, Rows k, Rows v, Mask mask, Rows y) {
    KernelEntry entry =
        narrowest(kernels, q.dtype().toString(), form.width)
            .filter(found -> form.width % WIDTH_STEP == 0)
            .orElseThrow(
                () ->
                    new UnsupportedException(
                        "the CUDA device has no attention of " + form.width + " features a head",
                        "use a multiple of 8 up to 128, or run this node on the CPU"));
    Kernel kernel = kernels.kernel(entry.entry());
    long tiles = Math.ceilDiv(form.queries, tile(entry).tokens());
    return OperationKernels.launch(
        kernel,
        form.batch * tiles,
        form.heads,
        arguments ->
            arguments
                .pointer("q", q.address())
                .pointer("k", k.address())
                .pointer("v", v.address())
                .pointer("mask", mask.address)
                .pointer("y", y.address())
                .i32("heads", form.heads)
                .i32("width", form.width)
                .i32("queries", form.queries)
                .i32("keys", form.keys)
                .i32("pitchQ", q.pitch())
                .i32("pitchK", k.pitch())
                .i32("pitchV", v.pitch())
                .i32("pitchY", y.pitch())
                .i64("maskBatch", mask.batchStep)
                .i64("maskHead", mask.headStep)
                .i64("maskQuery", mask.queryStep)
                .i64("maskKey", mask.keyStep)
                .f32("scale", form.scale)
                .i32("guarded", form.guarded ? 1 : 0));
  }
}
