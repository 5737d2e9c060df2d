package dev.filigree.kernel;

import dev.filigree.GraphException;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import java.util.List;

/**
 * What a name stands for while a graph runs node by node: a tensor, or a sequence of tensors.
 *
 * @param tensor null for a sequence
 * @param sequence null for a tensor
 */
public record Value(Tensor tensor, List<Tensor> sequence) {
  /** A tensor as a value. */
  public static Value of(Tensor tensor) {
    return new Value(tensor, null);
  }

  /** A sequence as a value. */
  public static Value of(List<Tensor> sequence) {
    return new Value(null, List.copyOf(sequence));
  }

  /** The tensor that a node needs. */
  public Tensor tensorFor(Node node) {
    if (tensor == null) {
      throw node.problem("reads a sequence as a tensor", "export the graph again");
    }
    return tensor;
  }

  /**
   * The tensor that a graph delivers.
   *
   * @param output its name
   */
  public Tensor tensorOf(String output) {
    if (tensor == null) {
      throw new GraphException(
          "output '" + output + "' is a sequence", "join it with ConcatFromSequence");
    }
    return tensor;
  }

  /** The sequence that a node needs. */
  public List<Tensor> sequenceFor(Node node) {
    if (sequence == null) {
      throw node.problem("reads a tensor as a sequence", "export the graph again");
    }
    return sequence;
  }
}
