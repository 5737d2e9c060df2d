package dev.filigree.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.Interpreter;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.List;
import java.util.Map;

/** Planned conversions between codes and floats give every bit of the reference operators. */
final class CodePlanTest {
  private static final List<DType> CODES =
      List.of(DType.I8, DType.U8, DType.I16, DType.U16, DType.I32);

  private static void assertSame(Graph graph, Tensor x) {
    Tensor expected = new Interpreter(graph).run(Map.of("x", x)).get("y");
    for (int threads = 1; threads <= 2; threads++) {
      SessionOptions options = SessionOptions.defaults().withThreads(threads);
      try (GraphRunner runner =
          new GraphRunner(graph, options, KernelSets.open(KernelSets.SCALAR), "test")) {
        Tensor actual = runner.run(Map.of("x", x)).get("y");
        for (long i = 0; i < expected.elements(); i++) {
          assertEquals(expected.getDouble(i), actual.getDouble(i), "element " + i);
        }
        List<LayerPlan> layers = runner.layers(Map.of("x", x.shape()));
        assertTrue(
            layers.stream().noneMatch(layer -> layer.kernel().equals("reference")),
            layers::toString);
      }
    }
  }

  private static Tensor codes(Samples samples, DType dtype, Shape shape) {
    Tensor tensor = Tensor.zeros(dtype, shape);
    int reach = dtype.bytes() == 1 ? 255 : dtype.bytes() == 2 ? 65535 : 1 << 30;
    for (long i = 0; i < tensor.elements(); i++) {
      long code = samples.between(0, reach) + dtype.least() / (dtype == DType.I32 ? 4 : 1);
      tensor.setLong(i, Math.min(code, dtype.greatest()));
    }
    return tensor;
  }

  private static Tensor scales(Samples samples, int lines) {
    float[] scales = samples.normal(lines);
    for (int i = 0; i < lines; i++) {
      scales[i] = Math.abs(scales[i]) / 64 + 1e-4f;
    }
    return lines == 1 ? Tensor.of(scales) : Tensor.of(scales, lines);
  }

  private static Graph graph(
      Samples samples, String type, DType from, DType codes, int[] extents, int axis) {
    boolean lines = samples.chance(0.5);
    int count = lines ? extents[axis] : 1;
    Tensor zeros = codes(samples, codes, count == 1 ? Shape.of() : Shape.of(count));
    boolean zeroed = codes != DType.I32 && samples.chance(0.7) || type.equals("QuantizeLinear");
    GraphBuilder builder =
        new GraphBuilder(21)
            .input("x", from, "a", "b", "c")
            .constant("scale", scales(samples, count))
            .constant("zero", zeros);
    Map<String, Object> attributes = Map.of("axis", axis);
    if (zeroed) {
      builder.node(type, attributes, List.of("y"), "x", "scale", "zero");
    } else {
      builder.node(type, attributes, List.of("y"), "x", "scale");
    }
    return builder.output("y", type.equals("QuantizeLinear") ? codes : DType.F32).build();
  }

  private static int[] extents(Samples samples) {
    return new int[] {samples.between(2, 40), samples.between(2, 40), samples.between(2, 40)};
  }

  @Seeded(40)
  void floatsOfCodesAreTheReferences(Samples samples) {
    DType codes = samples.oneOf(CODES);
    int[] e = extents(samples);
    Graph graph = graph(samples, "DequantizeLinear", codes, codes, e, samples.between(0, 2));
    assertSame(graph, codes(samples, codes, Shape.of(e[0], e[1], e[2])));
  }

  @Seeded(40)
  void codesOfFloatsAreTheReferences(Samples samples) {
    DType codes = samples.oneOf(CODES.subList(0, 4));
    int[] e = extents(samples);
    Graph graph = graph(samples, "QuantizeLinear", DType.F32, codes, e, samples.between(0, 2));
    int count = e[0] * e[1] * e[2];
    boolean any = samples.chance(0.3);
    float[] floats = any ? samples.anyFloats(count) : samples.normal(count);
    assertSame(graph, Tensor.of(floats, e[0], e[1], e[2]));
  }
}
