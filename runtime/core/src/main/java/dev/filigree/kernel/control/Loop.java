package dev.filigree.kernel.control;

import dev.filigree.DType;
import dev.filigree.Shape;
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

/**
 * Runs a graph again and again: at most as often as a number says, as long as a bool says. The
 * graph passes values on to its next run, and what it makes beside them is stacked.
 */
public final class Loop implements DataDependentOperator, ValueOperator {
  /** More runs than any model makes; a damaged one ends all the same. */
  private static final long MAX_RUNS = 1 << 24;

  private static final String BODY = "body";

  /** Inputs before the values that are passed on. */
  private static final int FIRST = 2;

  @Override
  public int leastInputs() {
    return 0;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    List<ValueType> own = new ArrayList<>();
    own.add(ValueType.of(DType.I64, List.of()));
    own.add(ValueType.of(DType.BOOL, List.of()));
    List<ValueType> carried = Body.types(node, inputs, FIRST);
    own.addAll(carried);
    List<ValueType> made = Body.infer(node, BODY, own, inputs);
    Dim runs = Dim.symbol("runs(" + node.name() + ")");
    List<ValueType> types = new ArrayList<>();
    for (int i = 1; i < made.size(); i++) {
      ValueType type = made.get(i);
      boolean scanned = i > carried.size();
      if (type == null || !scanned && !type.dims().equals(carried.get(i - 1).dims())) {
        throw new DataDependentException(node, "shape");
      }
      List<Dim> dims = new ArrayList<>(type.dims());
      if (scanned) {
        dims.addFirst(runs);
      }
      types.add(ValueType.of(type.dtype(), dims));
    }
    return types;
  }

  @Override
  public Tensor[] compute(Node node, int opset, Tensor[] operands) {
    List<Value> results = List.of(evaluate(node, opset, Body.values(operands)));
    return Body.tensors(node, results).toArray(Tensor[]::new);
  }

  @Override
  public Kernel bind(Binding binding) {
    return DataDependentOperator.super.bind(binding);
  }

  @Override
  public Value[] evaluate(Node node, int opset, Value[] operands) {
    Body body = new Body(node, BODY, operands);
    int given = Body.operands(node);
    Tensor most = given > 0 && operands[0] != null ? operands[0].tensorFor(node) : null;
    Tensor condition = given > 1 && operands[1] != null ? operands[1].tensorFor(node) : null;
    int carried = Math.max(0, given - FIRST);
    int outputs = body.graph().outputs().size() - 1;
    if (outputs < carried || node.outputs().size() > outputs) {
      throw node.problem("has a graph with " + (outputs + 1) + " outputs", "export it again");
    }
    List<Value> state = new ArrayList<>();
    for (int i = 0; i < carried; i++) {
      state.add(required(node, operands[FIRST + i]));
    }
    Stacks stacks = new Stacks(node, outputs - carried);
    boolean goesOn = condition == null || isTrue(node, condition);
    long runs = most == null ? Long.MAX_VALUE : number(node, most);
    for (long run = 0; run < runs && goesOn; run++) {
      if (run == MAX_RUNS) {
        throw node.problem("runs more than " + MAX_RUNS + " times", "bound its trip count");
      }
      List<Value> inputs = new ArrayList<>();
      inputs.add(Value.of(Tensor.of(new long[] {run})));
      inputs.add(Value.of(bool(goesOn)));
      inputs.addAll(state);
      List<Value> made = body.run(inputs);
      goesOn = isTrue(node, made.getFirst().tensorFor(node));
      state = made.subList(1, 1 + carried);
      stacks.push(Body.tensors(node, made.subList(1 + carried, made.size())));
    }
    List<Value> results = new ArrayList<>(state);
    for (int i = 0; i < outputs - carried; i++) {
      results.add(Value.of(stacks.join(i, 0, body.graph().outputs().get(1 + carried + i))));
    }
    return results.subList(0, node.outputs().size()).toArray(Value[]::new);
  }

  private static Value required(Node node, Value operand) {
    if (operand == null) {
      throw node.problem("lacks a value to pass on", "export the graph again");
    }
    return operand;
  }

  private static boolean isTrue(Node node, Tensor condition) {
    if (condition.dtype() != DType.BOOL || condition.elements() != 1) {
      throw node.problem("goes on by " + condition, "pass one bool");
    }
    return condition.getLong(0) != 0;
  }

  private static long number(Node node, Tensor most) {
    if (!most.dtype().isInteger() || most.elements() != 1) {
      throw node.problem("counts to " + most, "pass one i64");
    }
    return most.getLong(0);
  }

  private static Tensor bool(boolean value) {
    Tensor tensor = Tensor.zeros(DType.BOOL, Shape.SCALAR);
    tensor.setLong(0, value ? 1 : 0);
    return tensor;
  }
}
