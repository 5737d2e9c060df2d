package dev.filigree.cuda.operation;

import dev.filigree.DType;
import java.util.List;

/** Attention over a cache in pages, see {@code attention/cached_attention.cu}. */
public final class CachedAttention {
  /** Tokens of a page. */
  public static final int PAGE = 64;

  /** Bytes of the state in front of the rotations. */
  public static final int STATE_HEADER = 16;

  private static final int WIDEST = 256;
  private static final int WIDTH_STEP = 8;

  private CachedAttention() {}

  /**
   * What a run knows beside its operands.
   *
   * @param address of the state
   * @param piece tokens of the plan
   */
  public record State(long address, int piece) {
    /** Bytes of a state. */
    public static long bytes(int piece, int width, int pages) {
      return STATE_HEADER + (long) piece * width * Float.BYTES + (long) pages * Long.BYTES;
    }
  }

  /**
   * A layer's attention.
   *
   * @param layer of the cache
   * @param heads of queries
   * @param keyHeads of keys and values
   * @param width features of a head
   * @param window tokens that a token sees, itself the last of them; 0 for all
   * @param queryScales address of f32 {@code [width]}, 0 for no normalisation of queries
   * @param keyScales the same for keys
   * @param epsilon added to mean squares
   */
  public record Form(
      int layer,
      int heads,
      int keyHeads,
      int width,
      int window,
      long queryScales,
      long keyScales,
      float epsilon) {}

  /** Whether there are kernels for heads of some features. */
  public static boolean supports(int width) {
    return width % WIDTH_STEP == 0 && width <= WIDEST;
  }

  /** Bytes of a page. */
  public static long pageBytes(int layers, int keyHeads, int width) {
    return 2L * PAGE * width * DType.F16.bytes() * keyHeads * layers;
  }

  /**
   * Launches it: keys and values go into the cache, then queries are answered.
   *
   * @param q {@code [piece, heads * width]} in f16
   * @param k {@code [piece, keyHeads * width]}
   * @param v {@code [piece, keyHeads * width]}
   * @param y {@code [piece, heads * width]}, zeros for filling
   */
  public static List<Launch> attend(
      OperationKernels kernels, Form form, State state, Rows q, Rows k, Rows v, Rows y) {
    Launch remembered =
        OperationKernels.warps(
            kernels.kernel("remember_keys_f16"),
            (long) state.piece * form.keyHeads,
            arguments ->
                arguments
                    .pointer("k", k.address())
                    .pointer("v", v.address())
                    .pointer("state", state.address)
                    .pointer("scales", form.keyScales)
                    .i32("piece", state.piece)
                    .i32("layer", form.layer)
                    .i32("heads", form.keyHeads)
                    .i32("width", form.width)
                    .i32("pitchK", k.pitch())
                    .i32("pitchV", v.pitch())
                    .f32("epsilon", form.epsilon));
    Launch attended =
        OperationKernels.launch(
            kernels.kernel("cached_attention_f16"),
            state.piece,
            form.heads,
            arguments ->
                arguments
                    .pointer("q", q.address())
                    .pointer("state", state.address)
                    .pointer("scales", form.queryScales)
                    .pointer("y", y.address())
                    .i32("piece", state.piece)
                    .i32("layer", form.layer)
                    .i32("heads", form.heads)
                    .i32("keyHeads", form.keyHeads)
                    .i32("width", form.width)
                    .i32("window", form.window)
                    .i32("pitchQ", q.pitch())
                    .i32("pitchY", y.pitch())
                    .f32("scale", (float) (1 / Math.sqrt(form.width)))
                    .f32("epsilon", form.epsilon));
    return List.of(remembered, attended);
  }

  /**
   * Launches a copy of the piece's last token.
   *
   * @param x {@code [piece, columns]} in f16 or f32
   * @param y {@code [1, columns]} of the same type
   */
  public static Launch lastToken(OperationKernels kernels, State state, Rows x, Rows y) {
    return OperationKernels.launch(
        kernels.sized("last_token", x.dtype()),
        1,
        1,
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("state", state.address)
                .pointer("y", y.address())
                .i32("columns", x.columns())
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch()));
  }
}
