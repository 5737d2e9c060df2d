package dev.filigree.kernels.vector;

import com.sun.management.ThreadMXBean;
import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.Cell;
import dev.filigree.spi.CellKernel;
import dev.filigree.spi.CellRows;
import dev.filigree.spi.CodeProduct;
import dev.filigree.spi.CodeSum;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.spi.Panels;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Runs each kernel until its calls allocate nothing any more. A kernel that the compiler gave up on
 * makes an object of every vector, so this tells, without a clock, whether it is compiled well.
 */
final class SteadyState {
  /** Calls between two looks at the counter. */
  private static final int CALLS = 50;

  /** Looks without success before a kernel counts as stuck. */
  private static final int PATIENCE = 400;

  private static final int TOKENS = 200;
  private static final int FEATURES = 128;

  private final Kernels kernels;
  private final Arena arena;
  private final MemorySegment memory;
  private final long y;
  private final long scratch;

  private SteadyState(Kernels kernels, Arena arena) {
    this.kernels = kernels;
    this.arena = arena;
    y = Panels.of(TOKENS, kernels.lanes()).bytes(FEATURES);
    scratch = 2 * y;
    memory = arena.allocate(8 * y, 64);
  }

  /** For a JVM whose only program this is. */
  public static void main(String[] args) {
    stuck().forEach((name, bytes) -> System.out.println(name + ": " + bytes));
  }

  /** The kernels whose calls go on allocating, and how many bytes. */
  static Map<String, Long> stuck() {
    Kernels kernels = new VectorProvider().open();
    Map<String, Long> stuck = new LinkedHashMap<>();
    try (Arena arena = Arena.ofConfined()) {
      SteadyState state = new SteadyState(kernels, arena);
      state
          .calls()
          .forEach(
              (name, call) -> {
                long bytes = settle(call);
                if (bytes > 0) {
                  stuck.put(name, bytes / CALLS);
                }
              });
    }
    return stuck;
  }

  /** Bytes of the last calls, 0 as soon as some calls had none. */
  private static long settle(Runnable call) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long bytes = 0;
    for (int look = 0; look < PATIENCE; look++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < CALLS; i++) {
        call.run();
      }
      bytes = threads.getCurrentThreadAllocatedBytes() - before;
      if (bytes == 0) {
        break;
      }
    }
    return bytes;
  }

  private Map<String, Runnable> calls() {
    Map<String, Runnable> calls = new LinkedHashMap<>();
    SplittableRandom random = Legs.random("steady state");
    for (Map.Entry<String, Weights> form :
        SampleWeights.all(FEATURES, FEATURES, random).entrySet()) {
      for (LinearOption option : kernels.linear(form.getValue())) {
        LinearKernel kernel = option.pack();
        for (int tokens : new int[] {1, TOKENS}) {
          calls.put(
              form.getKey() + " by " + option.name() + " of " + tokens, linear(kernel, tokens));
        }
      }
    }
    stored(random)
        .forEach(
            (name, weights) -> {
              LinearKernel kernel = kernels.linear(weights).getFirst().pack();
              calls.put(name + " where a file has them", linear(kernel, 1));
            });
    for (Activation activation : Activation.values()) {
      calls.put(activation.label(), () -> kernels.activate(activation, memory, 0, 1001));
    }
    float[] scale = Legs.normal(random, FEATURES);
    float[] range = new float[2];
    for (int width : new int[] {1, kernels.lanes(), Panels.FULL}) {
      calls.put(
          "layer normalisation of " + width,
          () -> kernels.layerNormalization(memory, 0, y, width, FEATURES, scale, scale, 1e-5f));
      calls.put("start of " + width, () -> kernels.start(memory, y, width, 0, 64, scale, 0));
      calls.put("to panel of " + width, () -> kernels.toPanel(memory, 0, y, width, width, 65));
      calls.put(
          "from panel of " + width,
          () -> kernels.fromPanel(memory, 0, width, width, 65, memory, y));
    }
    int[] taps = {0, 1, 2, 100, 101, 102};
    for (int width : new int[] {3, kernels.lanes() + 1, Panels.FULL}) {
      calls.put(
          "window of " + width,
          () -> kernels.slide(memory, 0, taps, 100, scale, 0, 1, y, 5, width));
      calls.put(
          "greatest under a window of " + width,
          () -> kernels.slideMaximum(memory, 0, taps, 100, y, 5, width));
      for (int step = 1; step <= 3; step++) {
        int every = step;
        calls.put(
            "every " + every + " of " + width,
            () -> kernels.copyRows(memory, 0, every, 200, y, 100, 5, width));
      }
      calls.put("product of " + width, () -> kernels.product(memory, 0, scratch, y, 6, width, 40));
    }
    calls.put("softmax", () -> kernels.softmax(memory, 0, y, 1001));
    calls.put("add", () -> kernels.add(memory, 0, y, y, 1001));
    for (Arithmetic operation : Arithmetic.values()) {
      calls.put(
          operation + " of rows", () -> kernels.combine(operation, memory, 0, 1, y, 1, y, 1001));
      calls.put(
          operation + " on the right",
          () -> kernels.combine(operation, memory, 0, 1, 4096, 0, y, 1001));
      calls.put(
          operation + " on the left",
          () -> kernels.combine(operation, memory, 4096, 0, 0, 1, y, 1001));
      // less than a vector, as the mask of a short text is
      calls.put(
          operation + " of few on the right",
          () -> kernels.combine(operation, memory, 0, 1, 4096, 0, y, 3));
      calls.put(
          operation + " of few on the left",
          () -> kernels.combine(operation, memory, 4096, 0, 0, 1, y, 3));
    }
    calls.put("clamp", () -> kernels.clamp(memory, 0, y, 1001, 0.5f, 0.5f, 0, 1));
    calls.put("decode", () -> kernels.decode(memory, 0, y, 1001, false, 7, 0.5f));
    calls.put("encode", () -> kernels.encode(memory, 0, y, 1001, false, 7, 0.5f));
    calls.put("requantise", () -> kernels.requantize(memory, 0, y, 1001, 0.5f, -7, 248));
    CodeSum sum = CodeSum.of(DType.U8, 0.5f, 7, 0.25f, 3, 0.5f, 1);
    CodeProduct product = CodeProduct.of(DType.U8, 0.5f, 0.25f, 0.5f, 1);
    calls.put("codes added", () -> kernels.addCodes(memory, 0, y, y, 1001, sum));
    calls.put(
        "codes multiplied", () -> kernels.multiplyCodes(memory, 0, y, false, y, 1001, product));
    calls.put("codes scaled", () -> kernels.multiplyCodes(memory, 0, y, true, y, 1001, product));
    calls.put("range", () -> kernels.range(memory, 0, 1001, range));
    calls.put("levels", () -> kernels.quantize(memory, 0, y, 1001, 0.1f, 128));
    cells(calls, random);
    calls.put("attention", attention(-1, new long[4]));
    calls.put("attention with mask", attention(0, new long[] {0, 0, 0, 1}));
    calls.put("attention with mask per query", attention(0, new long[] {0, 0, 1, TOKENS}));
    return calls;
  }

  /** Cells with all that a kind can have, for the numbers of sequences that are taken together. */
  private void cells(Map<String, Runnable> calls, SplittableRandom random) {
    for (Cell.Kind kind : Cell.Kind.values()) {
      int units = 64;
      Cell cell =
          new Cell(
              kind,
              units,
              8,
              false,
              Legs.normal(random, kind.gates() * units * units),
              kind == Cell.Kind.GRU_LATE ? Legs.normal(random, units) : null,
              kind == Cell.Kind.LSTM ? Legs.normal(random, 3 * units) : null);
      CellKernel kernel = kernels.cell(cell);
      for (int count : new int[] {1, 2, CellRows.MOST}) {
        CellRows rows = new CellRows();
        for (int row = 0; row < count; row++) {
          long at = y + row * 1024L;
          rows.add(0, at, at + 256, at + 512, at + 768);
        }
        calls.put(
            kind + " of " + count,
            () -> {
              for (int phase = 0; phase < kind.phases(); phase++) {
                kernel.step(phase, 0, rows, memory, scratch);
              }
            });
      }
    }
  }

  /** Weights large enough to be read where they lie, off the heap as those of a file. */
  private Map<String, Weights> stored(SplittableRandom random) {
    int rows = (2 << 20) / FEATURES;
    Quantized integers = SampleWeights.quantized(DType.I8, rows, FEATURES, false, random);
    IntegerValues values = integers.values();
    CodeValues codes = SampleWeights.codebook(4, rows, FEATURES, false, random).values();
    return Map.of(
        "int8",
        new Quantized(
            rows,
            FEATURES,
            new IntegerValues(
                values.dtype(), off(values.codes()), values.scales(), values.zeroPoints())),
        "4-bit codebook",
        new Codebook(
            rows,
            FEATURES,
            new CodeValues(4, codes.count(), off(codes.codes()), codes.centroids())));
  }

  private MemorySegment off(MemorySegment heap) {
    return arena.allocate(heap.byteSize(), 64).copyFrom(heap);
  }

  private Runnable linear(LinearKernel kernel, int tokens) {
    Panels panels = Panels.of(tokens, kernels.lanes());
    float[] floats = new float[kernel.scratch()];
    return () -> {
      for (int block = 0; block < kernel.blocks(); block++) {
        kernel.accumulate(block, panels, 0, panels.count(), memory, 0, y, floats);
      }
    };
  }

  private Runnable attention(long mask, long[] steps) {
    Panels panels = Panels.of(TOKENS, kernels.lanes());
    AttentionCall call =
        new AttentionCall(
            memory,
            panels,
            panels,
            0,
            0,
            0,
            y,
            mask,
            steps,
            new Attention.Form(4, 4, 1, 5, false),
            FEATURES / 4,
            0,
            TOKENS,
            TOKENS);
    float[] heap = new float[kernels.attentionScratch(call)];
    if (scratch + kernels.attentionBytes(call) > memory.byteSize()) {
      throw new IllegalStateException("attention needs more scratch");
    }
    return () -> kernels.attend(call, 0, 1, heap, scratch);
  }
}
