package dev.filigree.spi;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.kernel.Activation;
import dev.filigree.weights.Dense;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Runs an operation of a set of kernels on a small problem that fits the first cache. For one
 * thread.
 */
final class KernelProbe {
  private static final int WIDTH = Panels.FULL;
  private static final int FEATURES = 64;
  private static final int VALUES = 1024;

  /** A panel's, and those of a row of values. */
  private static final long BYTES = (long) WIDTH * FEATURES * Float.BYTES;

  /** Taps of a window and the pitch of the plane it slides over. */
  private static final int[] TAPS = {0, 1, 2, 128, 129, 130, 256, 257, 258};

  private static final int PITCH = 128;

  private static final int HEADS = 2;

  /** Of a linear layer. */
  private static final int INPUTS = 16;

  private static final float EPSILON = 1e-5f;

  private static final CodeSum SUM = CodeSum.of(DType.U8, 0.5f, 1, 0.25f, 2, 0.5f, 3);
  private static final CodeProduct CODES = CodeProduct.of(DType.U8, 0.5f, 0.25f, 0.5f, 3);

  private final MemorySegment memory;
  private final float[] ones = new float[FEATURES];

  // byte offsets of areas of BYTES
  private final long x = 0;
  private final long y = BYTES;
  private final long input = 2 * BYTES;
  private final long scratch = 3 * BYTES;

  KernelProbe(Arena arena) {
    memory = arena.allocate(scratch + 16 * BYTES, 64);
    for (long i = 0; i < memory.byteSize(); i += Float.BYTES) {
      memory.set(DType.FLOAT, i, (i / Float.BYTES % 13 - 6) * 0.125f);
    }
    Arrays.fill(ones, 1);
  }

  /**
   * A call that can be repeated, and how long it may take where no kernel is stuck: a value or a
   * multiply-add of even the shortest vectors and the slowest processors takes a fraction of this.
   *
   * @param call runs the operation once
   * @param nanos of a call
   */
  record Trial(Runnable call, double nanos) {}

  /** The trial of an operation with the kernels of a set. */
  Trial trial(KernelOperation operation, Kernels kernels) {
    float[] range = new float[2];
    return switch (operation.kind()) {
      case ACTIVATE -> activation(operation.activation(), kernels);
      case START -> panel(() -> kernels.start(memory, y, WIDTH, 0, FEATURES, ones, x));
      case ADD -> values(() -> kernels.add(memory, x, input, y, VALUES));
      case COMBINE -> values(() -> combine(kernels));
      case CLAMP -> values(() -> kernels.clamp(memory, x, y, VALUES, 0.5f, 0.5f, 0, 1));
      case LAYER_NORMALIZATION ->
          panel(
              () -> kernels.layerNormalization(memory, x, y, WIDTH, FEATURES, ones, ones, EPSILON));
      case SOFTMAX -> functions(() -> kernels.softmax(memory, x, y, VALUES));
      case ATTEND -> attention(kernels);
      case RANGE -> values(() -> kernels.range(memory, x, VALUES, range));
      case QUANTIZE -> values(() -> kernels.quantize(memory, x, y, VALUES, 0.1f, 128));
      case DEQUANTIZE ->
          panel(() -> kernels.dequantize(memory, y, WIDTH, 0, FEATURES, 0.5f, ones, ones, x));
      case DECODE -> values(() -> kernels.decode(memory, x, y, VALUES, true, 3, 0.5f));
      case ENCODE -> values(() -> kernels.encode(memory, x, y, VALUES, true, 3, 0.5f));
      case REQUANTIZE -> values(() -> kernels.requantize(memory, x, y, VALUES, 0.1f, -128, 127));
      case ADD_CODES -> values(() -> kernels.addCodes(memory, x, input, y, VALUES, SUM));
      case MULTIPLY_CODES ->
          values(() -> kernels.multiplyCodes(memory, x, input, false, y, VALUES, CODES));
      case PRODUCT ->
          products(
              WIDTH * FEATURES * FEATURES,
              () -> kernels.product(memory, x, input, y, FEATURES, WIDTH, FEATURES));
      case GATHER -> gather(kernels);
      case WEIGHTED_SUM ->
          panel(() -> kernels.weightedSum(memory, x, FEATURES, WIDTH, ones, 0, 1, y));
      case SLIDE ->
          products(
              WIDTH * 16 * TAPS.length,
              () -> kernels.slide(memory, x, TAPS, PITCH, ones, 0, 1, y, 16, WIDTH));
      case SLIDE_MAXIMUM ->
          products(
              WIDTH * 16 * TAPS.length,
              () -> kernels.slideMaximum(memory, x, TAPS, PITCH, y, 16, WIDTH));
      case COPY_ROWS ->
          panel(() -> kernels.copyRows(memory, x, 1, WIDTH, y, WIDTH, FEATURES, WIDTH));
      case TO_PANEL -> moved(() -> kernels.toPanel(memory, x, y, WIDTH, WIDTH, FEATURES));
      case FROM_PANEL ->
          moved(() -> kernels.fromPanel(memory, x, WIDTH, WIDTH, FEATURES, memory, y));
      case LINEAR -> linear(kernels, WIDTH);
      case LINEAR_ONE_TOKEN -> linear(kernels, 1);
    };
  }

  /** Each operation on a share of the values. */
  private void combine(Kernels kernels) {
    int share = VALUES / Arithmetic.values().length;
    for (Arithmetic operation : Arithmetic.values()) {
      kernels.combine(operation, memory, x, 1, input, 1, y, share);
    }
  }

  /** Of functions as expensive as an exponential. */
  private static Trial functions(Runnable call) {
    return new Trial(call, VALUES * 4.0);
  }

  private static Trial values(Runnable call) {
    return new Trial(call, VALUES);
  }

  private static Trial panel(Runnable call) {
    return new Trial(call, WIDTH * FEATURES);
  }

  /** Of values that go to other places one by one, a nanosecond each on the fastest machines. */
  private static Trial moved(Runnable call) {
    return new Trial(call, WIDTH * FEATURES * 4.0);
  }

  private static Trial products(int count, Runnable call) {
    return new Trial(call, count * 0.5);
  }

  /** In place, so each time from the same values: repeated on its own results they would vanish. */
  private Trial activation(Activation activation, Kernels kernels) {
    Runnable call =
        () -> {
          MemorySegment.copy(memory, input, memory, y, (long) VALUES * Float.BYTES);
          kernels.activate(activation, memory, y, VALUES);
        };
    return activation == Activation.RELU ? values(call) : functions(call);
  }

  private Trial gather(Kernels kernels) {
    long stretches = scratch;
    int[] whole = {0, 0, WIDTH};
    MemorySegment.copy(whole, 0, memory, DType.INT, stretches, whole.length);
    return panel(
        () ->
            kernels.gather(
                memory, x, (long) WIDTH * Float.BYTES, FEATURES, stretches, 1, 0, y, WIDTH));
  }

  private Trial attention(Kernels kernels) {
    Panels panels = Panels.of(WIDTH, kernels.lanes());
    AttentionCall call =
        new AttentionCall(
            memory,
            panels,
            panels,
            x,
            x,
            input,
            y,
            -1,
            new long[4],
            HEADS,
            FEATURES / HEADS,
            WIDTH,
            WIDTH,
            1,
            1);
    float[] heap = new float[kernels.attentionScratch(call)];
    if (scratch + kernels.attentionBytes(call) > memory.byteSize()) {
      throw new IllegalStateException("attention wants " + kernels.attentionBytes(call) + " bytes");
    }
    return products(
        2 * WIDTH * WIDTH * FEATURES / HEADS, () -> kernels.attend(call, 0, 1, heap, scratch));
  }

  private Trial linear(Kernels kernels, int tokens) {
    Tensor weights = Tensor.of(new float[PackedLinear.BLOCK * INPUTS], PackedLinear.BLOCK, INPUTS);
    LinearKernel kernel = kernels.linear(new Dense(weights)).getFirst().pack();
    Panels panels = Panels.of(tokens, kernels.lanes());
    float[] heap = new float[kernel.scratch()];
    // a row of one token is short: what is around its loop counts
    double slack = tokens == 1 ? 4 : 1;
    return products(
        (int) (slack * tokens * PackedLinear.BLOCK * INPUTS),
        () -> kernel.accumulate(0, panels, 0, panels.count(), memory, x, y, heap));
  }
}
