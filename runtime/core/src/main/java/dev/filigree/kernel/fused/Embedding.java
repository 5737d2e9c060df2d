package dev.filigree.kernel.fused;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import dev.filigree.kernel.shape.Gather;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Sum of rows of several tables, as the input of a text encoder: words, positions, segments.
 *
 * <p>Inputs: pairs of a table {@code [rows, features]} and indices (i64 or i32) that broadcast
 * against each other; a negative index counts from the end. Output: {@code [indices..., features]}.
 */
public final class Embedding implements Operator {
  /** Operator type. */
  public static final String TYPE = "Embedding";

  /** A sum of look-ups as a node. */
  public static Node node(String name, List<String> tablesAndIndices, String output) {
    return new Node(name, Node.FUSED, TYPE, tablesAndIndices, List.of(output), Map.of());
  }

  /** Number of tables. */
  public static int tables(Node node) {
    return node.inputs().size() / 2;
  }

  /** The operator, which has no state. */
  public Embedding() {}

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    List<ValueType> indices = new ArrayList<>();
    for (int t = 0; t < tables(node); t++) {
      indices.add(inputs.required(2 * t + 1));
    }
    List<Dim> dims = new ArrayList<>(Broadcast.dims(node, indices));
    dims.add(inputs.required(0).dim(1));
    return List.of(ValueType.of(DType.F32, dims));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor y = binding.output();
    int tables = tables(node);
    Tensor[] indices = new Tensor[tables];
    long features = y.shape().extent(-1);
    for (int t = 0; t < tables; t++) {
      indices[t] = binding.input(2 * t + 1);
    }
    long[] extents = y.shape().extents();
    Shape positions = Shape.of(Arrays.copyOf(extents, extents.length - 1));
    Strided walk = Strided.broadcast(positions, indices);
    Strided.Body body =
        (i, at) -> {
          for (long f = 0; f < features; f++) {
            double sum = 0;
            for (int t = 0; t < tables; t++) {
              Tensor table = binding.input(2 * t);
              long row = Gather.row(node, indices[t].getLong(at[t]), table.shape().extent(0));
              sum += table.getDouble(row * features + f);
            }
            y.setDouble(i * features + f, sum);
          }
        };
    return () -> walk.forEach(body);
  }
}
