package dev.filigree.spi;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.weights.Dense;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Runs an operation of a set of kernels on a small problem that fits the first cache. For one
 * thread.
 */
final class KernelProbe {
  /** Taps of a window and the pitch of the plane it slides over. */
  private static final int[] TAPS = {0, 1, 2, 128, 129, 130, 256, 257, 258};

  private static final int PITCH = 128;

  /** Of an area, so that a window fits three of them. */
  private static final long LEAST_BYTES = 4096;

  private static final int HEADS = 2;

  /** Of a linear layer. */
  private static final int INPUTS = 16;

  private static final float EPSILON = 1e-5f;

  private static final CodeSum SUM = CodeSum.of(DType.U8, 0.5f, 1, 0.25f, 2, 0.5f, 3);
  private static final CodeProduct CODES = CodeProduct.of(DType.U8, 0.5f, 0.25f, 0.5f, 3);

  private final int width;
  private final int features;
  private final int values;
  private final MemorySegment memory;
  private final float[] ones;

  // byte offsets of areas that hold a panel or a row of values
  private final long x = 0;
  private final long y;
  private final long input;
  private final long scratch;

  /** Of a size at which a call takes microseconds. */
  KernelProbe(Arena arena) {
    this(arena, Panels.FULL, 64, 1024);
  }

  /**
   * Of any size up to that.
   *
   * @param width tokens of a panel
   * @param features of a token
   * @param values in a row
   */
  KernelProbe(Arena arena, int width, int features, int values) {
    this.width = width;
    this.features = features;
    this.values = values;
    this.ones = new float[features];
    long bytes = Math.max(LEAST_BYTES, Float.BYTES * Math.max((long) width * features, values));
    y = bytes;
    input = 2 * bytes;
    scratch = 3 * bytes;
    memory = arena.allocate(scratch + 16 * bytes, 64);
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
      case START -> panel(() -> kernels.start(memory, y, width, 0, features, ones, x));
      case ADD -> values(() -> kernels.add(memory, x, input, y, values));
      case COMBINE -> values(() -> combine(kernels));
      case CLAMP -> values(() -> kernels.clamp(memory, x, y, values, 0.5f, 0.5f, 0, 1));
      case LAYER_NORMALIZATION ->
          panel(
              () -> kernels.layerNormalization(memory, x, y, width, features, ones, ones, EPSILON));
      case SOFTMAX -> functions(() -> kernels.softmax(memory, x, y, values));
      case ATTEND -> attention(kernels);
      case RANGE -> values(() -> kernels.range(memory, x, values, range));
      case QUANTIZE -> values(() -> kernels.quantize(memory, x, y, values, 0.1f, 128));
      case DEQUANTIZE ->
          panel(() -> kernels.dequantize(memory, y, width, 0, features, 0.5f, ones, ones, x));
      case DECODE -> values(() -> kernels.decode(memory, x, y, values, true, 3, 0.5f));
      case ENCODE -> values(() -> kernels.encode(memory, x, y, values, true, 3, 0.5f));
      case REQUANTIZE -> values(() -> kernels.requantize(memory, x, y, values, 0.1f, -128, 127));
      case ADD_CODES -> values(() -> kernels.addCodes(memory, x, input, y, values, SUM));
      case MULTIPLY_CODES ->
          values(() -> kernels.multiplyCodes(memory, x, input, false, y, values, CODES));
      case PRODUCT ->
          products(
              width * features * features,
              () -> kernels.product(memory, x, input, y, features, width, features));
      case GATHER -> gather(kernels);
      case WEIGHTED_SUM ->
          panel(() -> kernels.weightedSum(memory, x, features, width, ones, 0, 1, y));
      case SLIDE ->
          products(
              width * 16 * TAPS.length,
              () -> kernels.slide(memory, x, TAPS, PITCH, ones, 0, 1, y, 16, width));
      case SLIDE_MAXIMUM ->
          products(
              width * 16 * TAPS.length,
              () -> kernels.slideMaximum(memory, x, TAPS, PITCH, y, 16, width));
      case COPY_ROWS ->
          panel(() -> kernels.copyRows(memory, x, 1, width, y, width, features, width));
      case INTERLEAVE ->
          panel(
              () ->
                  kernels.interleave(
                      memory, x, input, width, y, 2 * width, features / 2, 2 * width));
      case WINOGRAD_INPUT ->
          tiles(() -> kernels.winogradInput(memory, y, tile(), features / 16, width));
      case WINOGRAD_OUTPUT ->
          tiles(() -> kernels.winogradOutput(memory, y, tile(), 0, features / 16, width, ones));
      case TO_PANEL -> moved(() -> kernels.toPanel(memory, x, y, width, width, features));
      case FROM_PANEL ->
          moved(() -> kernels.fromPanel(memory, x, width, width, features, memory, y));
      case LINEAR -> linear(kernels, width);
      case LINEAR_ONE_TOKEN -> linear(kernels, 1);
    };
  }

  /** Each operation on a share of the values. */
  private void combine(Kernels kernels) {
    int share = values / Arithmetic.values().length;
    for (Arithmetic operation : Arithmetic.values()) {
      kernels.combine(operation, memory, x, 1, input, 1, y, share);
    }
  }

  /** Of functions as expensive as an exponential. */
  private Trial functions(Runnable call) {
    return new Trial(call, values * 4.0);
  }

  private Trial values(Runnable call) {
    return new Trial(call, values);
  }

  private Trial panel(Runnable call) {
    return new Trial(call, width * features);
  }

  /** Of values that go to other places one by one, a nanosecond each on the fastest machines. */
  private Trial moved(Runnable call) {
    return new Trial(call, width * features * 4.0);
  }

  private static Trial products(int count, Runnable call) {
    return new Trial(call, count * 0.5);
  }

  /** In place, so each time from the same values: repeated on its own results they would vanish. */
  private Trial activation(Activation activation, Kernels kernels) {
    Runnable call =
        () -> {
          MemorySegment.copy(memory, input, memory, y, (long) values * Float.BYTES);
          kernels.activate(activation, memory, y, values);
        };
    return activation == Activation.RELU ? values(call) : functions(call);
  }

  /** Bytes from one of the 16 panels of tiles to the next. */
  private long tile() {
    return (long) features / 16 * width * Float.BYTES;
  }

  private Trial gather(Kernels kernels) {
    long stretches = scratch;
    int[] whole = {0, 0, width};
    MemorySegment.copy(whole, 0, memory, DType.INT, stretches, whole.length);
    return panel(
        () ->
            kernels.gather(
                memory, x, (long) width * Float.BYTES, features, stretches, 1, 0, y, width));
  }

  /** In place, so each time from the same values. */
  private Trial tiles(Runnable transform) {
    return panel(
        () -> {
          MemorySegment.copy(memory, x, memory, y, (long) width * features * Float.BYTES);
          transform.run();
        });
  }

  private Trial attention(Kernels kernels) {
    Panels panels = Panels.of(width, kernels.lanes());
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
            new Attention.Form(HEADS, HEADS, 1, 1, false),
            features / HEADS,
            0,
            width,
            width);
    float[] heap = new float[kernels.attentionScratch(call)];
    if (scratch + kernels.attentionBytes(call) > memory.byteSize()) {
      throw new IllegalStateException("attention wants " + kernels.attentionBytes(call) + " bytes");
    }
    return products(
        2 * width * width * features / HEADS, () -> kernels.attend(call, 0, 1, heap, scratch));
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
