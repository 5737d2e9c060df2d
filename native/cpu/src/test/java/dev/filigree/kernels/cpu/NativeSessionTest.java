package dev.filigree.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.filigree.DType;
import dev.filigree.Device;
import dev.filigree.Model;
import dev.filigree.Precision;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.plan.LayerPlan;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.MiniLm;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** MiniLM with native linear layers. */
class NativeSessionTest {
  private static final String DENSE = "all-minilm-l6-v2.onnx";
  private static final String INT8 = "all-minilm-l6-v2-q.onnx";

  @BeforeAll
  static void requireLibrary() {
    Natives.library();
  }

  private static SessionOptions options(String kernels, int threads, Precision precision) {
    return SessionOptions.defaults()
        .withDevice(Device.cpu())
        .withKernels(kernels)
        .withThreads(threads)
        .withPrecision(precision);
  }

  private static Map<String, Tensor> inputs(int batch, int length) {
    SplittableRandom random = new SplittableRandom(batch * 1000L + length);
    Map<String, Tensor> inputs = new HashMap<>();
    for (String name : List.of("input_ids", "attention_mask", "token_type_ids")) {
      Tensor tensor = Tensor.zeros(DType.I64, Shape.of(batch, length));
      for (long i = 0; i < tensor.elements(); i++) {
        long id = name.equals("input_ids") ? 1000 + random.nextInt(20000) : 0;
        // the last sequence is padded
        boolean padding = batch > 1 && i / length == batch - 1 && i % length > length / 2;
        tensor.setLong(i, name.equals("attention_mask") ? padding ? 0 : 1 : id);
      }
      inputs.put(name, tensor);
    }
    return inputs;
  }

  private static float[] run(String file, SessionOptions options, Map<String, Tensor> inputs) {
    try (Model model = Model.open(MiniLm.unpacked(file));
        Session session = model.session(options)) {
      return session.run(inputs).values().iterator().next().toFloats();
    }
  }

  private static Set<String> kernels(String file, SessionOptions options) {
    try (Model model = Model.open(MiniLm.unpacked(file));
        Session session = model.session(options)) {
      Map<String, Shape> shapes = new HashMap<>();
      inputs(1, 16).forEach((name, tensor) -> shapes.put(name, tensor.shape()));
      return session.plan(shapes).stream()
          .filter(layer -> layer.operator().equals("Linear"))
          .map(LayerPlan::kernel)
          .collect(Collectors.toSet());
    }
  }

  @Test
  void theNativeSetIsTheBestThereIs() {
    KernelSets.Installed first = KernelSets.installed().getFirst();
    assertEquals("native", first.name());
    assertTrue(first.isPartial());
    assertEquals(KernelSets.open("vector").name(), KernelSets.open("").name());
  }

  @Test
  void theInt8ModelRunsNativelyAndExactModelsDoNot() {
    Set<String> integers = kernels(INT8, options("", 1, Precision.EXACT));
    assertTrue(integers.stream().allMatch(name -> name.startsWith("native int8")), "" + integers);
    Set<String> exact = kernels(DENSE, options("", 1, Precision.EXACT));
    assertEquals(Set.of("dense"), exact);
  }

  @Test
  void theInt8ModelHasTheBitsOfTheVectorKernels() {
    for (int[] size : new int[][] {{1, 1}, {1, 7}, {1, 16}, {3, 50}, {2, 128}}) {
      Map<String, Tensor> inputs = inputs(size[0], size[1]);
      assertArrayEquals(
          run(INT8, options("vector", 1, Precision.EXACT), inputs),
          run(INT8, options("native", 1, Precision.EXACT), inputs),
          size[0] + " x " + size[1]);
    }
  }

  @Test
  void resultsDoNotDependOnTheNumberOfThreads() {
    Map<String, Tensor> inputs = inputs(3, 70);
    for (String file : List.of(DENSE, INT8)) {
      for (Precision precision : Precision.values()) {
        float[] one = run(file, options("native", 1, precision), inputs);
        for (int threads : new int[] {2, 3}) {
          assertArrayEquals(
              one,
              run(file, options("native", threads, precision), inputs),
              file + " " + precision);
        }
      }
    }
  }

  @Test
  void bf16StaysCloseToTheExactModel() {
    Map<String, Tensor> inputs = inputs(2, 60);
    float[] exact = run(DENSE, options("native", 2, Precision.EXACT), inputs);
    float[] rounded = run(DENSE, options("native", 2, Precision.BF16), inputs);
    double cosine = cosine(exact, rounded);
    boolean available = Instructions.halves(Natives.library()).isPresent();
    assertTrue(available ? cosine > 0.999 && cosine < 1 : cosine == 1, "cosine " + cosine);
  }

  private static double cosine(float[] a, float[] b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += (double) a[i] * b[i];
      aa += (double) a[i] * a[i];
      bb += (double) b[i] * b[i];
    }
    return ab / Math.sqrt(aa * bb);
  }

  @Test
  void aRunAllocatesNothing() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    for (Precision precision : List.of(Precision.EXACT, Precision.INT8)) {
      try (Model model = Model.open(MiniLm.unpacked(INT8));
          Session session = model.session(options("native", 1, precision))) {
        Map<String, Tensor> inputs = inputs(1, 40);
        Map<String, Tensor> outputs = session.run(inputs);
        session.warmUp(inputs, (task, done, total) -> {});
        long fewest = Long.MAX_VALUE;
        // objects that do not escape are only left out once all around them is compiled, which the
        // compiler does when it comes to it
        long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
        while (fewest > 0 && System.nanoTime() < deadline) {
          long before = threads.getCurrentThreadAllocatedBytes();
          session.run(inputs, outputs);
          fewest = Math.min(fewest, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertEquals(0, fewest, "bytes of a run");
      }
    }
  }
}
