package dev.filigree.plan;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operators;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Function;

/**
 * Runs an operator by its scalar reference kernel, on row-major operands.
 *
 * @param node the operation
 * @param opset version of ONNX's operator set
 * @param inputs operands once the memory is known; null where absent
 * @param outputs results; null where nobody reads them
 */
record ReferenceStep(
    Node node, int opset, List<Function<MemorySegment, Tensor>> inputs, List<Slot> outputs)
    implements Step {
  @Override
  public BoundStep bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    Tensor[] operands = new Tensor[inputs.size()];
    for (int i = 0; i < operands.length; i++) {
      operands[i] = inputs.get(i) == null ? null : inputs.get(i).apply(memory);
    }
    Tensor[] results = new Tensor[outputs.size()];
    for (int i = 0; i < results.length; i++) {
      results[i] = outputs.get(i) == null ? null : outputs.get(i).tensor(memory);
    }
    Kernel kernel = Operators.find(node).bind(new Binding(node, opset, operands, results));
    return pool -> kernel.run();
  }
}
