package dev.filigree.kernel;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import java.util.Arrays;
import java.util.List;

/**
 * A node with the tensors it reads and writes, all contiguous.
 *
 * @param node the operation
 * @param opset version of ONNX's operator set
 * @param inputs as the node names them, null where absent
 * @param outputs as the node names them, null where nobody reads them
 */
public record Binding(Node node, int opset, List<Tensor> inputs, List<Tensor> outputs) {
  public Binding(Node node, int opset, Tensor[] inputs, Tensor[] outputs) {
    this(node, opset, Arrays.asList(inputs), Arrays.asList(outputs));
  }

  /** Whether an optional input is there. */
  public boolean has(int i) {
    return i < inputs.size() && inputs.get(i) != null;
  }

  /** An input that must be there. */
  public Tensor input(int i) {
    return inputs.get(i);
  }

  /** An output that must be there. */
  public Tensor output(int i) {
    return outputs.get(i);
  }

  /** The first output. */
  public Tensor output() {
    return outputs.getFirst();
  }
}
