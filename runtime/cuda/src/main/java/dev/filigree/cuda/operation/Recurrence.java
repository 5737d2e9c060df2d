package dev.filigree.cuda.operation;

import dev.filigree.cuda.driver.Arguments;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.kernel.recurrent.Recurrent;
import java.util.Locale;

/** Recurrent layers over whole sequences, see {@code recurrent/recurrent.cu}. */
public final class Recurrence {
  /** Shared vectors end at a multiple of so many floats. */
  private static final int STEP = 4;

  private Recurrence() {}

  /**
   * What a layer computes, and its extents.
   *
   * @param reversed whether the only direction is backward
   * @param late whether a GRU's reset gate follows the product with the state
   * @param coupled whether an LSTM forgets what it does not take in
   * @param batchFirst whether the batch is the first axis of inputs, results and states
   * @param limit of what is activated; infinite for none
   */
  public record Form(
      Recurrent kind,
      int steps,
      int batch,
      int directions,
      int input,
      int hidden,
      boolean reversed,
      boolean late,
      boolean coupled,
      boolean batchFirst,
      float limit) {
    /** Shared memory of a block, as the kernel divides it. */
    private long sharedBytes() {
      return Recurrence.sharedBytes(kind, input, hidden);
    }
  }

  /**
   * Weights of a layer.
   *
   * @param w f16 rows {@code [directions * gates * hidden, input]}
   * @param r f16 rows {@code [directions * gates * hidden, hidden]}
   * @param bias f32 rows {@code [directions, 2 * gates * hidden]}, or null
   * @param peepholes f32 rows {@code [directions, 3 * hidden]}, or null
   * @param activations f32 rows {@code [directions * 3, 3]}: code, alpha and beta of each function
   */
  public record Weights(Rows w, Rows r, Rows bias, Rows peepholes, Rows activations) {}

  /** States as f32 rows {@code [directions * batch, hidden]}; addresses, 0 for none. */
  public record States(long firstH, long firstC, long lastH, long lastC, int pitch) {}

  /**
   * How long sequences are.
   *
   * @param lengths address of an i32 for each sequence, or 0
   * @param fault address of an i64 that holds {@link Gather#NO_FAULT} before and the first sequence
   *     with a length out of range after, or 0 without lengths
   */
  public record Lengths(long lengths, long fault) {
    /** All of them have all steps. */
    public static final Lengths ALL = new Lengths(0, 0);
  }

  /** Whether a sequence's states and gates fit a block's shared memory. */
  public static boolean supports(
      OperationKernels kernels, Recurrent kind, long input, long hidden) {
    return sharedBytes(kind, input, hidden) <= kernel(kernels, kind).entry().sharedBytes();
  }

  private static long sharedBytes(Recurrent kind, long input, long hidden) {
    // of a GRU's candidate the share of the state is kept apart
    long gates = kind.gates() + (kind == Recurrent.GRU ? 1 : 0);
    long floats = padded(input) + 2 * padded(hidden) + gates * hidden;
    return floats * Float.BYTES;
  }

  private static long padded(long count) {
    return Math.ceilDiv(count, STEP) * STEP;
  }

  private static Kernel kernel(OperationKernels kernels, Recurrent kind) {
    return kernels.kernel("recurrent_" + kind.name().toLowerCase(Locale.ROOT));
  }

  /**
   * Launches it.
   *
   * @param x f16 rows {@code [steps * batch, input]}
   * @param y f16 rows {@code [steps * directions * batch, hidden]}, or null
   */
  public static Launch run(
      OperationKernels kernels,
      Form form,
      Rows x,
      Lengths lengths,
      Weights weights,
      States states,
      Rows y) {
    Kernel kernel = kernel(kernels, form.kind);
    Arguments arguments =
        kernel
            .arguments()
            .pointer("x", x.address())
            .pointer("w", weights.w.address())
            .pointer("r", weights.r.address())
            .pointer("bias", Rows.addressOf(weights.bias))
            .pointer("peepholes", Rows.addressOf(weights.peepholes))
            .pointer("lengths", lengths.lengths)
            .pointer("activations", weights.activations.address())
            .pointer("firstH", states.firstH)
            .pointer("firstC", states.firstC)
            .pointer("y", Rows.addressOf(y))
            .pointer("lastH", states.lastH)
            .pointer("lastC", states.lastC)
            .pointer("fault", lengths.fault)
            .i32("steps", form.steps)
            .i32("batch", form.batch)
            .i32("input", form.input)
            .i32("hidden", form.hidden)
            .i32("pitchX", x.pitch())
            .i32("pitchW", weights.w.pitch())
            .i32("pitchR", weights.r.pitch())
            .i32("pitchBias", Rows.pitchOf(weights.bias))
            .i32("pitchPeepholes", Rows.pitchOf(weights.peepholes))
            .i32("pitchY", Rows.pitchOf(y))
            .i32("pitchState", states.pitch)
            .i32("reversed", form.reversed ? 1 : 0)
            .i32("late", form.late ? 1 : 0)
            .i32("coupled", form.coupled ? 1 : 0)
            .i32("batchFirst", form.batchFirst ? 1 : 0)
            .f32("limit", form.limit);
    return new Launch(
        kernel, form.batch, form.directions, Math.toIntExact(form.sharedBytes()), arguments);
  }
}
