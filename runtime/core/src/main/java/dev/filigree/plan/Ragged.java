package dev.filigree.plan;

import dev.filigree.FiligreeException;
import dev.filigree.Shape;
import dev.filigree.graph.Graph;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.ValueType;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What a plan computes of a batch whose rows were padded to one length: tokens that are no padding,
 * one row's after the other's, so that no panel holds any of it but the last. Values of all tokens
 * have the shapes that the graph gives them and panels of fewer tokens; where they are row-major,
 * padding is there and is 0. Which tokens these are is told to each run ({@link Sequences}).
 *
 * <pre>
 *   row 0:  a b c . . .
 *   row 1:  d e f g h .      panels: a b c d e f g h i j
 *   row 2:  i j . . . .
 * </pre>
 *
 * @param rows of the batch
 * @param longest tokens of a row, padding included
 * @param tokens that there is room for
 */
record Ragged(int rows, int longest, int tokens) {
  /** Another batch, of one row more and rows one token shorter. */
  private Ragged other() {
    return new Ragged(rows + 1, longest - 1, tokens);
  }

  /** The shapes of a graph's inputs for another batch; what the graph itself fixes stays. */
  private Map<String, Shape> others(Graph graph, Map<String, Shape> shapes) {
    Map<String, Shape> others = new HashMap<>(shapes);
    for (ValueInfo input : graph.inputs()) {
      long[] extents = shapes.get(input.name()).extents();
      if (extents.length > 1 && extents[0] == rows && extents[1] == longest) {
        extents[0] += isOpen(input, 0) ? 1 : 0;
        extents[1] -= isOpen(input, 1) ? 1 : 0;
        others.put(input.name(), Shape.of(extents));
      }
    }
    return others;
  }

  private static boolean isOpen(ValueInfo input, int axis) {
    return input.dims() == null || !input.dims().get(axis).isKnown();
  }

  /**
   * Whether some value of a graph has the extents of one of each token by chance, such as heads as
   * many as tokens. What its shape is for another batch tells.
   *
   * @param shapes of the graph's inputs
   * @param types of its values for these shapes
   */
  boolean isAmbiguous(Graph graph, Map<String, Shape> shapes, Map<String, ValueType> types) {
    if (longest == 1) {
      return true;
    }
    Optional<Map<String, ValueType>> others;
    try {
      others = new Former(graph, 0).folding(others(graph, shapes)).map(Folding::types);
    } catch (FiligreeException cannot) {
      // a graph that is for these shapes alone: nothing tells
      return true;
    }
    return others.isEmpty()
        || types.entrySet().stream()
            .filter(value -> !graph.constants().containsKey(value.getKey()))
            .filter(value -> isOver(value.getValue().shape()))
            .anyMatch(value -> !other().isOver(others.get().get(value.getKey()).shape()));
  }

  /**
   * Whether a shape is one of a value of each token: {@code [rows, longest, features]}, or flat.
   */
  boolean isOver(Shape shape) {
    if (shape.rank() < 2) {
      return false;
    }
    long before = 1;
    boolean betweenRows = false;
    for (int axis = 0; axis < shape.rank() - 1; axis++) {
      before *= shape.extent(axis);
      betweenRows |= before == rows;
    }
    boolean flat = shape.rank() == 2;
    return before == (long) rows * longest && (betweenRows || flat);
  }
}
