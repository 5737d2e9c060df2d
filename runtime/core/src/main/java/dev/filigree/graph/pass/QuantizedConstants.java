package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Quantized;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Keeps quantised matrices quantised: a DequantizeLinear of a constant matrix becomes compressed
 * weights instead of a float copy, and a look-up in a quantised table dequantises only the rows it
 * takes.
 */
final class QuantizedConstants implements Pass {
  @Override
  public Graph apply(Graph graph) {
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    Map<String, Node> producers = graph.producers();
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (node.is("DequantizeLinear")) {
        Optional<Constant> weights = matrix(node, node.inputs().getFirst(), false, constants);
        Optional<Node> lookUp = lookUp(node, producers, constants);
        if (weights.isPresent()) {
          constants.put(node.output(), weights.get());
          continue;
        }
        if (lookUp.isPresent()) {
          nodes.add(lookUp.get());
          continue;
        }
      }
      nodes.add(node);
    }
    return graph.with(nodes, constants);
  }

  /** The look-up in a float table that equals the dequantised look-up in a quantised one. */
  private static Optional<Node> lookUp(
      Node dequantize, Map<String, Node> producers, Map<String, Constant> constants) {
    Node gather = producers.get(dequantize.inputs().getFirst());
    if (gather == null || !gather.is("Gather") || gather.intAttribute("axis", 0) != 0) {
      return Optional.empty();
    }
    String table = gather.inputs().getFirst();
    return matrix(dequantize, table, true, constants)
        .filter(constant -> isSingle(dequantize, constants))
        .map(
            constant -> {
              // named after the value it yields: a table may be read under several scales
              String name = dequantize.output() + "_table";
              constants.put(name, constant);
              return new Node(
                  gather.name(),
                  Node.ONNX,
                  "Gather",
                  List.of(name, gather.inputs().get(1)),
                  dequantize.outputs(),
                  gather.attributes());
            });
  }

  private static boolean isSingle(Node dequantize, Map<String, Constant> constants) {
    return constants.get(dequantize.inputs().get(1)).toTensor().elements() == 1;
  }

  /**
   * The compressed form of a quantised constant matrix under a node's scales, if it has one.
   *
   * @param byRows whether a matrix of a single scale is a table whose rows are looked up, or else
   *     weights {@code [in, out]}
   */
  private static Optional<Constant> matrix(
      Node dequantize, String codes, boolean byRows, Map<String, Constant> constants) {
    if (!(constants.get(codes) instanceof Constant.Plain(Tensor q))
        || !(constants.get(dequantize.inputs().get(1)) instanceof Constant.Plain(Tensor scale))
        || q.shape().rank() != 2
        || scale.shape().rank() > 1
        || scale.dtype() != DType.F32
        || q.dtype() != DType.I8 && q.dtype() != DType.U8) {
      return Optional.empty();
    }
    MemorySegment zeroPoints = IntegerValues.SYMMETRIC;
    if (dequantize.input(2).isPresent()) {
      if (!(constants.get(dequantize.input(2).get()) instanceof Constant.Plain(Tensor zeros))
          || zeros.dtype() != q.dtype()
          || zeros.elements() != scale.elements()) {
        return Optional.empty();
      }
      zeroPoints = zeros.data();
    }
    long axis = dequantize.intAttribute("axis", 1);
    boolean rowsFirst = scale.elements() == 1 ? byRows : axis == 0 || axis == -2;
    return Optional.of(compressed(q, !rowsFirst, scale.data(), zeroPoints));
  }

  /**
   * A quantised matrix as compressed weights.
   *
   * @param q the codes as the graph has them
   * @param transposed whether that is {@code [in, out]}
   */
  static Constant compressed(
      Tensor q, boolean transposed, MemorySegment scales, MemorySegment zeroPoints) {
    int first = Math.toIntExact(q.shape().extent(0));
    int second = Math.toIntExact(q.shape().extent(1));
    IntegerValues values = new IntegerValues(q.dtype(), q.data(), scales, zeroPoints);
    Quantized weights =
        transposed
            ? new Quantized(second, first, 1, second, values)
            : new Quantized(first, second, values);
    return new Constant.Compressed(weights, transposed);
  }
}
