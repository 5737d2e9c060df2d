package dev.filigree.cuda.operation;

import dev.filigree.cuda.driver.Kernel;
import java.util.Locale;

/** Recurrent layers over whole sequences, see {@code recurrent/recurrent.cu}. */
public final class Recurrence {
  private Recurrence() {}

  /** What a layer computes, with sigmoids and hyperbolic tangents. */
  public enum Kind {
    RNN(1),
    GRU(3),
    LSTM(4);

    private final int gates;

    Kind(int gates) {
      this.gates = gates;
    }
  }

  /**
   * Extents of a layer.
   *
   * @param reversed whether the only direction is backward
   * @param late whether a GRU's reset gate follows the product with the state
   */
  public record Form(
      Kind kind,
      int steps,
      int batch,
      int directions,
      int input,
      int hidden,
      boolean reversed,
      boolean late) {}

  /**
   * Weights of a layer.
   *
   * @param w f16 rows {@code [directions * gates * hidden, input]}
   * @param r f16 rows {@code [directions * gates * hidden, hidden]}
   * @param bias address of f32 {@code [directions, 2, gates * hidden]}, or 0
   */
  public record Weights(Rows w, Rows r, long bias) {}

  /** States as f32 rows {@code [directions * batch, hidden]}; addresses, 0 for none. */
  public record States(long firstH, long firstC, long lastH, long lastC, int pitch) {}

  /** Whether a sequence's states and gates fit a block's shared memory. */
  public static boolean supports(OperationKernels kernels, Kind kind, long input, long hidden) {
    long floats = input + (kind.gates + 3L) * hidden;
    return floats * Float.BYTES <= kernel(kernels, kind).entry().sharedBytes();
  }

  private static Kernel kernel(OperationKernels kernels, Kind kind) {
    return kernels.kernel("recurrent_" + kind.name().toLowerCase(Locale.ROOT));
  }

  /**
   * Launches it.
   *
   * @param x f16 rows {@code [steps * batch, input]}
   * @param y f16 rows {@code [steps * directions * batch, hidden]}, or null
   */
  public static Launch run(
      OperationKernels kernels, Form form, Rows x, Weights weights, States states, Rows y) {
    return OperationKernels.launch(
        kernel(kernels, form.kind),
        form.batch,
        form.directions,
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("w", weights.w.address())
                .pointer("r", weights.r.address())
                .pointer("bias", weights.bias)
                .pointer("firstH", states.firstH)
                .pointer("firstC", states.firstC)
                .pointer("y", Rows.addressOf(y))
                .pointer("lastH", states.lastH)
                .pointer("lastC", states.lastC)
                .i32("steps", form.steps)
                .i32("batch", form.batch)
                .i32("input", form.input)
                .i32("hidden", form.hidden)
                .i32("pitchX", x.pitch())
                .i32("pitchW", weights.w.pitch())
                .i32("pitchR", weights.r.pitch())
                .i32("pitchY", Rows.pitchOf(y))
                .i32("pitchState", states.pitch)
                .i32("reversed", form.reversed ? 1 : 0)
                .i32("late", form.late ? 1 : 0));
  }
}
