package dev.filigree.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.plan.DeviceRunner;
import dev.filigree.graph.Graph;
import dev.filigree.plan.LayerPlan;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.Networks;
import dev.filigree.testing.OcrModels;
import dev.filigree.testing.Samples;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whole networks of convolutions on the simulated device against the CPU. Bounds are relative to
 * the greatest result: activations are rounded to f16 (1/2048) between layers, weights once.
 */
@SimulatedGpu
class NetworkTest {
  @TempDir private Path folder;

  private record Compared(double difference, List<LayerPlan> layers) {
    List<String> kernels(String type) {
      return layers.stream()
          .filter(layer -> layer.operator().equals(type))
          .map(LayerPlan::kernel)
          .toList();
    }

    List<String> inProcess() {
      return layers.stream()
          .filter(layer -> layer.kernel().startsWith("cpu"))
          .map(layer -> layer.operator() + ": " + layer.reason())
          .toList();
    }
  }

  private static Compared compare(Path file, String kernels, long... extents) {
    try (Model model = Model.open(file);
        Session cpu = model.session(SessionOptions.defaults().withThreads(1))) {
      String input = model.graph().inputs().getFirst().name();
      Tensor x =
          Tensor.of(new Samples(5).normal(Math.toIntExact(Shape.of(extents).elements())), extents);
      Map<String, Tensor> inputs = Map.of(input, x);
      float[] expected = cpu.run(inputs).values().iterator().next().toFloats();
      Graph graph = model.graph();
      SessionOptions options = SessionOptions.defaults().withKernels(kernels);
      try (DeviceRunner runner = new DeviceRunner(graph, options, CudaDriver.open().context(0))) {
        float[] found = runner.run(inputs).values().iterator().next().toFloats();
        double greatest = 0;
        double difference = 0;
        for (int i = 0; i < expected.length; i++) {
          greatest = Math.max(greatest, Math.abs(expected[i]));
          difference = Math.max(difference, Math.abs(expected[i] - found[i]));
        }
        return new Compared(difference / greatest, runner.layers(Map.of(input, x.shape())));
      }
    }
  }

  @Test
  void leNetRunsOnTheDevice() {
    Path file = Networks.leNet(folder.resolve("lenet.onnx"), DType.F32, false, null);
    Compared compared = compare(file, "cuda", 2, 1, 28, 28);
    assertEquals(List.of(), compared.inProcess());
    assertTrue(compared.difference < 3e-3, "off by " + compared.difference);
  }

  @Test
  void resNet20RunsOnTheDevice() {
    Path file = Networks.resNet20(folder.resolve("resnet20.onnx"), DType.F32);
    Compared compared = compare(file, "cuda", 1, 3, 32, 32);
    assertEquals(List.of(), compared.inProcess());
    assertEquals(21, compared.kernels("Convolution").size());
    assertTrue(compared.difference < 5e-3, "off by " + compared.difference);
  }

  /** Images to 8 bits before each convolution, as the session asks. */
  @Test
  void resNet20RunsInInt8WhereAskedTo() {
    Path file = Networks.resNet20(folder.resolve("resnet20.onnx"), DType.F32);
    Compared compared = compare(file, "convolution_dense_i8", 1, 3, 32, 32);
    assertTrue(
        compared.kernels("Convolution").stream()
            .allMatch(kernel -> kernel.startsWith("convolution_dense_i8")),
        compared.toString());
    assertTrue(compared.difference < 0.08, "off by " + compared.difference);
  }

  @Test
  void theTextDetectorRunsOnTheDevice() throws IOException {
    Optional<Path> models = OcrModels.folder();
    assumeTrue(models.isPresent(), OcrModels.remedy());
    Compared compared =
        compare(models.get().resolve("ch_PP-OCRv4_det_infer.onnx"), "cuda", 1, 3, 64, 64);
    assertEquals(List.of(), compared.inProcess());
    assertTrue(compared.difference < 0.02, "off by " + compared.difference);
  }
}
