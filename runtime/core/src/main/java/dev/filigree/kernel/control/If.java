package dev.filigree.kernel.control;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.DataDependentOperator;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Value;
import dev.filigree.kernel.ValueOperator;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Runs one of two graphs, as a bool says. */
public final class If implements DataDependentOperator, ValueOperator {
  private static final String THEN = "then_branch";
  private static final String ELSE = "else_branch";

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType condition = inputs.required(0);
    if (condition.dtype() != DType.BOOL || Body.operands(node) != 1) {
      throw node.problem("chooses by " + condition, "pass one bool");
    }
    if (node.body(THEN).outputs().size() != node.outputs().size()
        || node.body(ELSE).outputs().size() != node.outputs().size()) {
      throw node.problem("has branches with other outputs than it", "export the graph again");
    }
    if (condition.hasKnownContent() && condition.content().size() == 1) {
      boolean met = !condition.content().getFirst().is(0);
      List<ValueType> taken = Body.infer(node, met ? THEN : ELSE, List.of(), inputs);
      if (taken.stream().anyMatch(Objects::isNull)) {
        throw new DataDependentException(node, "shape");
      }
      return taken;
    }
    List<ValueType> yes = branch(node, THEN, inputs);
    List<ValueType> no = branch(node, ELSE, inputs);
    List<ValueType> types = new ArrayList<>();
    for (int i = 0; i < yes.size(); i++) {
      types.add(either(node, i, yes.get(i), no.get(i)));
    }
    return types;
  }

  /** Types of a branch; one that these inputs contradict is one that they do not take. */
  private static List<ValueType> branch(Node node, String attribute, Inputs inputs) {
    try {
      return Body.infer(node, attribute, List.of(), inputs);
    } catch (GraphException notTaken) {
      throw new DataDependentException(node, "branch");
    }
  }

  private static ValueType either(Node node, int output, ValueType yes, ValueType no) {
    if (yes == null || no == null || yes.dtype() != no.dtype() || yes.rank() != no.rank()) {
      throw new DataDependentException(node, "shape");
    }
    List<Dim> dims = new ArrayList<>();
    for (int axis = 0; axis < yes.rank(); axis++) {
      dims.add(
          yes.dim(axis).equals(no.dim(axis))
              ? yes.dim(axis)
              : Dim.symbol("either(" + node.outputs().get(output) + ":" + axis + ")"));
    }
    return ValueType.of(yes.dtype(), dims);
  }

  @Override
  public Tensor[] compute(Node node, int opset, Tensor[] operands) {
    List<Value> results = List.of(evaluate(node, opset, Body.values(operands)));
    return Body.tensors(node, results).toArray(Tensor[]::new);
  }

  @Override
  public Value[] evaluate(Node node, int opset, Value[] operands) {
    Tensor condition = operands[0].tensorFor(node);
    if (condition.dtype() != DType.BOOL || condition.elements() != 1) {
      throw node.problem("chooses by " + condition, "pass one bool");
    }
    String branch = condition.getLong(0) != 0 ? THEN : ELSE;
    List<Value> results = new Body(node, branch, operands).run(List.of());
    if (results.size() != node.outputs().size()) {
      throw node.problem("has branches with other outputs than it", "export the graph again");
    }
    return results.toArray(Value[]::new);
  }

  @Override
  public Kernel bind(Binding binding) {
    return DataDependentOperator.super.bind(binding);
  }
}
