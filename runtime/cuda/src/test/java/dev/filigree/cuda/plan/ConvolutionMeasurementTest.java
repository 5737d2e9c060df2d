package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.pass.Passes;
import dev.filigree.plan.LayerPlan;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.Samples;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Convolutions are chosen as linear layers are: candidates that the model of the device finds
 * promising are timed, a dense one among them, and the fastest runs. A simulated device's
 * projections stand in for its time.
 */
class ConvolutionMeasurementTest {
  private static final int CHANNELS = 64;
  private static final Shape IMAGE = Shape.of(1, CHANNELS, 6, 6);
  private static final Map<String, Tensor> INPUTS =
      Map.of("x", Tensor.of(new Samples(3).normal(CHANNELS * 36), IMAGE.extents()));

  /** Two windows in a row, of which two of every four channels are kept. */
  private static Graph graph() {
    GraphBuilder builder = new GraphBuilder(13).input("x", DType.F32, 1, CHANNELS, 6, 6);
    builder.constant("w", sparse(1)).constant("v", sparse(2));
    Map<String, Object> same = Map.of("pads", List.of(1, 1, 1, 1));
    builder.node("Conv", same, List.of("a"), "x", "w").node("Conv", same, List.of("y"), "a", "v");
    return Passes.standard(builder.output("y").build());
  }

  private static Tensor sparse(int seed) {
    Tensor w =
        Tensor.of(new Samples(seed).normal(CHANNELS * CHANNELS * 9), CHANNELS, CHANNELS, 3, 3);
    for (long i = 0; i < w.elements(); i++) {
      if (i / 9 % 4 == i / CHANNELS / 9 % 4 || i / 9 % 4 == (i / CHANNELS / 9 + 2) % 4) {
        w.setDouble(i, 0);
      }
    }
    return w;
  }

  private static DeviceRunner open(String kernels, Projections projections) {
    return new DeviceRunner(
        graph(),
        SessionOptions.defaults().withKernels(kernels),
        CudaDriver.open().context(0),
        Optional.of(projections));
  }

  private static List<LayerPlan> layers(DeviceRunner runner) {
    return runner.layers(Map.of("x", IMAGE));
  }

  private static LayerPlan.Candidate chosen(LayerPlan layer) {
    return layer.candidates().stream()
        .filter(candidate -> candidate.kernel().equals(layer.kernel()))
        .findFirst()
        .orElseThrow();
  }

  /** What the device's own model projects for an A100. */
  private static OptionalDouble micros(SimulatedDevice device, Runnable work) {
    int before = device.projections().size();
    work.run();
    return OptionalDouble.of(
        device.projections().stream()
            .skip(before)
            .filter(projection -> projection.device().equals("A100"))
            .mapToDouble(projection -> projection.seconds() * 1e6)
            .sum());
  }

  @Test
  @SimulatedGpu(traffic = true)
  void theFastestByProjectionRunsAndExplainSaysSo(SimulatedDevice device) {
    try (DeviceRunner runner = open("cuda", work -> micros(device, work))) {
      float[] before = runner.run(INPUTS).get("y").toFloats();
      for (LayerPlan layer : layers(runner)) {
        assertTrue(
            layer.candidates().stream().allMatch(each -> Double.isNaN(each.projectedMicros())));
        assertTrue(layer.reason().contains("; predicted "), layer.reason());
      }
      runner.warmUp(INPUTS, Progress.NONE);
      for (LayerPlan layer : layers(runner)) {
        assertTrue(layer.kernel().startsWith("convolution_"), layer.kernel());
        assertTrue(layer.candidates().size() >= 2, layer.candidates().toString());
        double least =
            layer.candidates().stream()
                .mapToDouble(LayerPlan.Candidate::projectedMicros)
                .min()
                .orElseThrow();
        // within what the one predicted to be fastest is given
        assertTrue(chosen(layer).projectedMicros() * 0.97 <= least, layer.toString());
        assertTrue(layer.reason().contains("; projected "), layer.reason());
        assertTrue(
            layer.candidates().stream().allMatch(each -> Double.isNaN(each.measuredMicros())),
            "a projection is never called a measurement");
      }
      // results reach 1024, where neighbours in f16 are half apart: each kernel adds in its own
      // order
      assertArrayEquals(before, runner.run(INPUTS).get("y").toFloats(), 0.5f);
    }
    assertEquals(List.of(), device.findings());
  }

  /** By times that fall from one candidate to the next the last one is the fastest. */
  private static final class Falling implements Projections {
    private double micros = 1e6;

    @Override
    public OptionalDouble micros(Runnable work) {
      work.run();
      micros /= 2;
      return OptionalDouble.of(micros);
    }
  }

  @Test
  @SimulatedGpu
  void timesDecideAgainstTheModelAndWeightsOfTheOthersAreFreed(SimulatedDevice device) {
    try (DeviceRunner runner = open("cuda", new Falling())) {
      float[] before = runner.run(INPUTS).get("y").toFloats();
      assertTrue(chosen(layers(runner).getFirst()).kernel().contains("sparse24"));
      runner.warmUp(INPUTS, Progress.NONE);
      Set<String> kernels = new HashSet<>();
      long bytes = 0;
      for (LayerPlan layer : layers(runner)) {
        assertEquals(layer.candidates().getLast().kernel(), layer.kernel());
        kernels.add(layer.kernel());
        bytes += layer.bytes();
      }
      // both layers are of one kind, so that one of them was measured
      assertEquals(1, kernels.size());
      assertTrue(kernels.iterator().next().contains("dense"), kernels.toString());
      assertEquals(bytes, runner.packedBytes());
      assertArrayEquals(before, runner.run(INPUTS).get("y").toFloats(), 0.5f);
      int launches = device.launches().size();
      runner.warmUp(INPUTS, Progress.NONE);
      assertTrue(
          device.launches().subList(launches, device.launches().size()).stream()
              .noneMatch(launch -> launch.kernel().contains("sparse24")),
          "what is known is not measured again");
    }
  }

  @Test
  @SimulatedGpu
  void aSessionThatAsksForKernelsGetsTheFastestOfThose(SimulatedDevice simulated) {
    try (DeviceRunner runner = open("convolution_sparse24_i8", new Falling())) {
      runner.warmUp(INPUTS, Progress.NONE);
      LayerPlan layer = layers(runner).getFirst();
      assertTrue(
          layer.candidates().stream()
              .allMatch(each -> each.kernel().startsWith("convolution_sparse24_i8")));
      assertFalse(Double.isNaN(chosen(layer).projectedMicros()));
      assertTrue(layer.reason().contains("asked for by the session"), layer.reason());
    }
  }
}
