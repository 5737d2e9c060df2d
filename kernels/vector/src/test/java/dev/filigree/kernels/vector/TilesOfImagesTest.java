package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.plan.GraphRunner;
import dev.filigree.testing.ConvolutionGraph;
import dev.filigree.testing.Floats;
import dev.filigree.testing.Samples;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** A convolution by tiles of 4 x 4 pixels with the vector kernels. */
final class TilesOfImagesTest {
  private static final int CHANNELS = 96;
  private static final int SIDE = 28;

  /** Weights of products, one for each of the 16 elements of a tile. */
  private static final long PRODUCTS = 16L * CHANNELS * CHANNELS * Float.BYTES;

  @Test
  void givesWhatTheInterpreterGivesAndKeepsNoOtherWeights() {
    ConvolutionGraph form = new ConvolutionGraph(CHANNELS, SIDE);
    Samples samples = new Samples(5);
    Graph graph = form.graph(samples);
    Map<String, Tensor> inputs = Map.of("x", form.pixels(samples));
    float[] expected = new Interpreter(graph).run(inputs).get("y").toFloats();
    SessionOptions options = SessionOptions.defaults().withThreads(2);
    try (GraphRunner runner =
        new GraphRunner(Passes.standard(graph), options, Legs.vector(), "tiles")) {
      Floats.assertClose(expected, runner.run(inputs).get("y").toFloats(), 9 * CHANNELS);
      Map<String, Shape> shapes = Map.of("x", inputs.get("x").shape());
      assertEquals("winograd", runner.layers(shapes).getLast().kernel());
      assertEquals(PRODUCTS, runner.packedBytes());
      // whether a kernel is stuck is not asked of weights that no plan has
      runner.warmUp(inputs, Progress.NONE);
      assertEquals(PRODUCTS, runner.packedBytes());
    }
  }
}
