package dev.filigree.benchmarks;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What an encoder does between its linear layers, on activations {@code [tokens, 384]} in panels
 * and one thread, beside their floors: a copy of as many bytes, and multiply-adds in registers.
 * {@link OperationFloors} sets them beside each other.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {
      "--add-modules=jdk.incubator.vector",
      "--enable-native-access=ALL-UNNAMED",
      "-XX:+UseSerialGC"
    })
public class OperationBenchmark {
  /** Of MiniLM. */
  static final int FEATURES = 384;

  private static final int HEADS = 12;

  /** Steps of {@link Operation#MULTIPLY_ADDS}. */
  static final int STEPS = 10_000;

  private static final float EPSILON = 1e-12f;
  private static final long ALIGNMENT = 64;

  /** What is measured, with the floats that it must read and write for each value. */
  public enum Operation {
    /** The floor of memory. */
    COPY(2),
    /** The floor of arithmetic; independent of the tokens. */
    MULTIPLY_ADDS(0),
    START(2),
    ADD(3),
    /**
     * In place, on a fresh copy, which counts: repeated on its own results it would end at zero.
     */
    RELU(4),
    /** As {@link #RELU}. */
    GELU(4),
    LAYER_NORMALIZATION(2),
    /** Of rows of 128 scores. */
    SOFTMAX(2),
    QUANTIZE(2),
    TO_PANEL(2),
    FROM_PANEL(2),
    /** Of all heads, over all tokens as one sequence. */
    ATTENTION(4);

    private final int floats;

    Operation(int floats) {
      this.floats = floats;
    }

    int floats() {
      return floats;
    }
  }

  /** Which. */
  @Param public Operation operation;

  /** Tokens: within the second cache, and beyond it. */
  @Param({"128", "2048"})
  public int tokens;

  private final float[] ones = new float[FEATURES];
  private final Kernels kernels = KernelSets.open("vector");
  private MemorySegment memory;
  private Runnable call;
  private float factor = 0.5f;

  /** Makes the operands. */
  @Setup
  public void open() {
    Arrays.fill(ones, 1);
    Panels panels = Panels.of(tokens, kernels.lanes());
    long bytes = panels.bytes(FEATURES);
    memory = Arena.ofAuto().allocate(6 * bytes, ALIGNMENT);
    SplittableRandom random = new SplittableRandom(24);
    for (long i = 0; i < memory.byteSize(); i += Float.BYTES) {
      memory.set(DType.FLOAT, i, (float) random.nextGaussian());
    }
    call = call(panels, 0, bytes, 2 * bytes);
  }

  private Runnable call(Panels panels, long x, long y, long other) {
    long bytes = y - x;
    long values = bytes / Float.BYTES;
    return switch (operation) {
      case COPY -> () -> MemorySegment.copy(memory, x, memory, y, bytes);
      case MULTIPLY_ADDS -> () -> factor = Math.min(1, Peak.multiplyAdd(STEPS, factor, 1e-3f));
      case START ->
          each(
              panels,
              panel -> {
                long at = panels.offset(panel, FEATURES);
                kernels.start(memory, y + at, panels.width(panel), 0, FEATURES, ones, x + at);
              });
      case ADD -> () -> kernels.add(memory, x, other, y, values);
      case RELU -> () -> activate(Activation.RELU, x, y, values);
      case GELU -> () -> activate(Activation.GELU, x, y, values);
      case LAYER_NORMALIZATION ->
          each(
              panels,
              panel -> {
                long at = panels.offset(panel, FEATURES);
                kernels.layerNormalization(
                    memory, x + at, y + at, panels.width(panel), FEATURES, ones, ones, EPSILON);
              });
      case SOFTMAX -> softmax(x, y, values);
      case QUANTIZE -> () -> kernels.quantize(memory, x, y, values, 0.05f, 128);
      case TO_PANEL ->
          each(
              panels,
              panel -> {
                long at = panels.offset(panel, FEATURES);
                int used = panels.used(panel);
                kernels.toPanel(memory, x + at, y + at, panels.width(panel), used, FEATURES);
              });
      case FROM_PANEL ->
          each(
              panels,
              panel -> {
                long at = panels.offset(panel, FEATURES);
                int used = panels.used(panel);
                kernels.fromPanel(
                    memory, x + at, panels.width(panel), used, FEATURES, memory, y + at);
              });
      case ATTENTION -> attention(panels, bytes);
    };
  }

  private static Runnable each(Panels panels, IntConsumer work) {
    return () -> {
      for (int panel = 0; panel < panels.count(); panel++) {
        work.accept(panel);
      }
    };
  }

  private void activate(Activation activation, long x, long y, long values) {
    MemorySegment.copy(memory, x, memory, y, values * Float.BYTES);
    kernels.activate(activation, memory, y, values);
  }

  private Runnable softmax(long x, long y, long values) {
    int row = 128;
    return () -> {
      for (long at = 0; at + row <= values; at += row) {
        kernels.softmax(memory, x + at * Float.BYTES, y + at * Float.BYTES, row);
      }
    };
  }

  private Runnable attention(Panels panels, long bytes) {
    AttentionCall all =
        new AttentionCall(
            memory,
            panels,
            panels,
            0,
            bytes,
            2 * bytes,
            3 * bytes,
            -1,
            new long[4],
            new Attention.Form(HEADS, HEADS, 1, (float) Math.sqrt(FEATURES / HEADS), false),
            FEATURES / HEADS,
            0,
            tokens,
            tokens);
    float[] heap = new float[kernels.attentionScratch(all)];
    if (kernels.attentionBytes(all) > 2 * bytes) {
      throw new IllegalStateException("attention wants " + kernels.attentionBytes(all) + " bytes");
    }
    return () -> {
      for (int head = 0; head < HEADS; head++) {
        kernels.attend(all, 0, head, heap, 4 * bytes);
      }
    };
  }

  /** The operation once, on all tokens. */
  @Benchmark
  public float run() {
    call.run();
    return factor;
  }
}
