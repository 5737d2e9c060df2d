package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueInfo;
import dev.filigree.weights.Dense;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Lets a graph with f16 weights compute in f32, as ONNX Runtime does on a CPU: values are widened
 * where they come in and rounded where they go out, and nothing is rounded between. Matrices of
 * products stay f16 where they lie; other constants are widened. Without it every value would be
 * rounded to f16 by kernels that no vector instruction helps.
 */
final class WidenHalves implements Pass {
  private static final String WIDE = "_f32";

  private final long half = OnnxTypes.number(DType.F16);
  private final long single = OnnxTypes.number(DType.F32);

  @Override
  public Graph apply(Graph graph) {
    return fits(graph) ? new Widening(graph).run() : graph;
  }

  /** Whether there are f16 weights, and no values that bodies would see change their type. */
  private static boolean fits(Graph graph) {
    Set<String> given = new HashSet<>(graph.constants().keySet());
    graph.inputs().forEach(input -> given.add(input.name()));
    return graph.constants().values().stream().anyMatch(WidenHalves::isHalf)
        && graph.nodes().stream().allMatch(node -> node.bodies().isEmpty())
        && graph.outputs().stream().noneMatch(output -> given.contains(output.name()));
  }

  private static boolean isHalf(Constant constant) {
    return constant instanceof Constant.Plain(Tensor tensor) && tensor.dtype() == DType.F16;
  }

  private final class Widening {
    private final Graph graph;
    private final Set<String> taken = new HashSet<>();
    private final Map<String, String> renamed = new HashMap<>();
    private final Map<String, Constant> constants = new LinkedHashMap<>();
    private final List<Node> nodes = new ArrayList<>();

    Widening(Graph graph) {
      this.graph = graph;
      taken.addAll(graph.constants().keySet());
      graph.inputs().forEach(input -> taken.add(input.name()));
      graph.nodes().forEach(node -> taken.addAll(node.outputs()));
    }

    Graph run() {
      Set<String> factors = factors();
      graph
          .constants()
          .forEach(
              (name, constant) ->
                  constants.put(
                      name, isHalf(constant) ? wide(constant, factors.contains(name)) : constant));
      List<Node> after = new ArrayList<>();
      for (ValueInfo input : graph.inputs()) {
        if (input.dtype() == DType.F16) {
          nodes.add(cast(input.name(), rename(input.name()), single));
        }
      }
      for (ValueInfo output : graph.outputs()) {
        if (output.dtype() == DType.F16) {
          after.add(cast(rename(output.name()), output.name(), half));
        }
      }
      graph.nodes().forEach(node -> nodes.add(wide(node)));
      nodes.addAll(after);
      return graph.with(nodes, constants);
    }

    private String rename(String value) {
      String name = value + WIDE;
      while (!taken.add(name)) {
        name += "_";
      }
      renamed.put(value, name);
      return name;
    }

    private Node cast(String from, String to, long type) {
      return new Node(
          to + "_cast",
          Node.ONNX,
          "Cast",
          List.of(from),
          List.of(to),
          Map.of("to", new Attribute.Int(type)));
    }

    private Node wide(Node node) {
      Map<String, Attribute> attributes = new HashMap<>();
      node.attributes().forEach((key, value) -> attributes.put(key, wide(key, value)));
      return new Node(
          node.name(),
          node.domain(),
          node.type(),
          node.inputs().stream().map(name -> renamed.getOrDefault(name, name)).toList(),
          node.outputs().stream().map(name -> renamed.getOrDefault(name, name)).toList(),
          attributes);
    }

    private Attribute wide(String key, Attribute value) {
      boolean namesType = key.equals("to") || key.equals("dtype") || key.equals("output_datatype");
      return switch (value) {
        case Attribute.Int(long number) when namesType && number == half ->
            new Attribute.Int(single);
        case Attribute.Array(Tensor tensor) when tensor.dtype() == DType.F16 ->
            new Attribute.Array(wide(tensor));
        default -> value;
      };
    }

    /** Constants that nothing reads but products, each as their right factor. */
    private Set<String> factors() {
      Set<String> factors = new HashSet<>();
      Set<String> others = new HashSet<>();
      for (Node node : graph.nodes()) {
        for (int i = 0; i < node.inputs().size(); i++) {
          boolean factor =
              i == 1
                  && (node.is("MatMul") || node.is("Gemm") && node.intAttribute("transB", 0) == 0);
          (factor ? factors : others).add(node.inputs().get(i));
        }
      }
      factors.removeAll(others);
      return factors;
    }

    private static Constant wide(Constant constant, boolean factor) {
      Tensor tensor = constant.toTensor();
      return factor && tensor.shape().rank() == 2
          ? new Constant.Compressed(new Dense(tensor.permute(1, 0)), true)
          : new Constant.Plain(wide(tensor));
    }

    private static Tensor wide(Tensor tensor) {
      return Tensor.of(tensor.toFloats(), tensor.shape().extents());
    }
  }
}
