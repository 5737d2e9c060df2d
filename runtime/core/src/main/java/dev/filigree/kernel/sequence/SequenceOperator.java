package dev.filigree.kernel.sequence;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Value;
import dev.filigree.kernel.ValueOperator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** ONNX's operators on sequences of tensors (operator set 11). */
public enum SequenceOperator implements ValueOperator {
  /** A sequence of all inputs. */
  CONSTRUCT {
    @Override
    Value value(Node node, int opset, Value[] operands) {
      return Value.of(Arrays.stream(operands).map(each -> each.tensorFor(node)).toList());
    }
  },
  /** A sequence of nothing. */
  EMPTY(0) {
    @Override
    Value value(Node node, int opset, Value[] operands) {
      return Value.of(List.of());
    }
  },
  /** A sequence with one more tensor, before a position or at the end. */
  INSERT(2) {
    @Override
    Value value(Node node, int opset, Value[] operands) {
      List<Tensor> tensors = new ArrayList<>(operands[0].sequenceFor(node));
      int at =
          operands.length > 2 && operands[2] != null
              ? position(node, operands[2], tensors.size(), tensors.size())
              : tensors.size();
      tensors.add(at, operands[1].tensorFor(node));
      return Value.of(tensors);
    }
  },
  /** A sequence without the tensor at a position, or without the last. */
  ERASE {
    @Override
    Value value(Node node, int opset, Value[] operands) {
      List<Tensor> tensors = new ArrayList<>(operands[0].sequenceFor(node));
      Value given = operands.length > 1 ? operands[1] : null;
      Value last = Value.of(Tensor.of(new long[] {-1}));
      tensors.remove(
          position(node, given == null ? last : given, tensors.size(), tensors.size() - 1));
      return Value.of(tensors);
    }
  },
  /** The tensor at a position. */
  AT(2) {
    @Override
    Value value(Node node, int opset, Value[] operands) {
      List<Tensor> tensors = operands[0].sequenceFor(node);
      return Value.of(tensors.get(position(node, operands[1], tensors.size(), tensors.size() - 1)));
    }
  },
  /** How many tensors a sequence has. */
  LENGTH {
    @Override
    Value value(Node node, int opset, Value[] operands) {
      return Value.of(Tensor.of(new long[] {operands[0].sequenceFor(node).size()}));
    }
  },
  /** The tensors side by side along an axis, or a new one. */
  CONCAT {
    @Override
    Value value(Node node, int opset, Value[] operands) {
      List<Tensor> tensors = operands[0].sequenceFor(node);
      if (tensors.isEmpty()) {
        throw node.problem("joins an empty sequence", "put a tensor into it");
      }
      List<Tensor> parts = new ArrayList<>();
      boolean stacks = node.intAttribute("new_axis", 0) != 0;
      for (Tensor tensor : tensors) {
        parts.add(stacks ? widened(node, tensor) : tensor);
      }
      Node concat =
          new Node(
              node.name(),
              Node.ONNX,
              "Concat",
              names(parts.size()),
              node.outputs(),
              Map.of("axis", node.attributes().get("axis")));
      return Value.of(Interpreter.run(concat, opset, parts.toArray(Tensor[]::new))[0]);
    }
  },
  /** A tensor cut along an axis: in pieces of given lengths, or one by one without the axis. */
  SPLIT {
    @Override
    Value value(Node node, int opset, Value[] operands) {
      Tensor lengths =
          operands.length > 1 && operands[1] != null ? operands[1].tensorFor(node) : null;
      return Value.of(Pieces.of(node, operands[0].tensorFor(node), lengths));
    }
  };

  private final int least;

  SequenceOperator() {
    this(1);
  }

  SequenceOperator(int least) {
    this.least = least;
  }

  abstract Value value(Node node, int opset, Value[] operands);

  @Override
  public int leastInputs() {
    return least;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    throw new DataDependentException(node, "sequence");
  }

  @Override
  public Value[] evaluate(Node node, int opset, Value[] operands) {
    return new Value[] {value(node, opset, operands)};
  }

  @Override
  public Kernel bind(Binding binding) {
    throw binding.node().problem("has no plan for sequences", "run it node by node");
  }

  /** A position counted from the front. */
  private static int position(Node node, Value given, int size, int last) {
    Tensor tensor = given.tensorFor(node);
    if (tensor.elements() != 1 || !tensor.dtype().isInteger()) {
      throw node.problem("names the position " + tensor, "pass one whole number");
    }
    long position = tensor.getLong(0);
    long fromFront = position < 0 ? position + size : position;
    if (fromFront < 0 || fromFront > last) {
      throw node.problem(
          "names position " + position + " of a sequence of " + size, "name one that exists");
    }
    return (int) fromFront;
  }

  private static Tensor widened(Node node, Tensor tensor) {
    long axis = node.intAttribute("axis", 0);
    int rank = tensor.shape().rank() + 1;
    int at = Axes.normalise(node, axis, rank);
    long[] extents = new long[rank];
    for (int i = 0; i < rank; i++) {
      extents[i] = i == at ? 1 : tensor.shape().extent(i < at ? i : i - 1);
    }
    return tensor.reshape(Shape.of(extents));
  }

  private static List<String> names(int count) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      names.add("part" + i);
    }
    return names;
  }
}
