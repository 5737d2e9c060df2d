package dev.filigree.kernel.shape;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes the slices of a tensor that an index tensor names along one axis; a negative index counts
 * from the end.
 */
public final class Gather implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType indices = inputs.required(1);
    if (indices.dtype() != DType.I64 && indices.dtype() != DType.I32) {
      throw node.problem("takes slices by " + indices, "indices are i64 or i32");
    }
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), x.rank());
    List<Dim> dims = new ArrayList<>(x.dims().subList(0, axis));
    dims.addAll(indices.dims());
    dims.addAll(x.dims().subList(axis + 1, x.rank()));
    List<Dim> content = null;
    if (x.content() != null && x.rank() == 1 && indices.hasKnownContent()) {
      content = new ArrayList<>();
      for (Dim index : indices.content()) {
        content.add(x.content().get((int) row(node, index.value(), x.content().size())));
      }
    }
    return List.of(new ValueType(x.dtype(), dims, content));
  }

  /**
   * The row an index names.
   *
   * @throws GraphException if there is no such row
   */
  public static long row(Node node, long index, long rows) {
    if (index < -rows || index >= rows) {
      throw outOfRange(node, index, rows);
    }
    return index < 0 ? index + rows : index;
  }

  private static GraphException outOfRange(Node node, long index, long rows) {
    return node.problem(
        "takes row " + index + " of " + rows,
        "pass indices from "
            + -rows
            + " to "
            + (rows - 1)
            + "; token ids must come from the model's own tokenizer, and texts end where its table"
            + " of positions does");
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor indices = binding.input(1);
    Tensor y = binding.output();
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), x.shape().rank());
    long outer = 1;
    for (int a = 0; a < axis; a++) {
      outer *= x.shape().extent(a);
    }
    long inner = x.dtype().bytes();
    for (int a = axis + 1; a < x.shape().rank(); a++) {
      inner *= x.shape().extent(a);
    }
    long blocks = outer;
    long bytes = inner;
    long rows = x.shape().extent(axis);
    long count = indices.elements();
    return () -> {
      for (long block = 0; block < blocks; block++) {
        for (long i = 0; i < count; i++) {
          long row = row(node, indices.getLong(i), rows);
          MemorySegment.copy(
              x.data(), (block * rows + row) * bytes, y.data(), (block * count + i) * bytes, bytes);
        }
      }
    };
  }
}
