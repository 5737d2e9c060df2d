package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Reads the bits of each element as another type of the same width (operator set 26). */
public final class BitCast implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    DType to =
        OnnxTypes.dtype(
            node.intAttribute("to", 0),
            type -> node.unsupported("reads bits as " + type, "use a supported type"));
    if (to.bytes() != x.dtype().bytes()) {
      throw node.problem("reads bits of " + x + " as " + to, "use a type of the same width");
    }
    return List.of(ValueType.of(to, x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    return () -> MemorySegment.copy(x.data(), 0, y.data(), 0, y.bytes());
  }
}
