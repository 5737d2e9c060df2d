package dev.filigree.kernel.control;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.DataDependentOperator;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Lines;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Runs a graph over the slices of its inputs. The graph passes values on to its next run, and what
 * it makes beside them is stacked. In operator set 8 every value has a batch axis in front.
 */
public final class Scan implements DataDependentOperator {
  private static final String BODY = "body";
  private static final int BATCH_WENT_AWAY = 9;

  @Override
  public int leastInputs() {
    return 0;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    if (inputs.opset() < BATCH_WENT_AWAY) {
      throw new DataDependentException(node, "shape");
    }
    List<ValueType> operands = Body.types(node, inputs, 0);
    int states = states(node, operands.size());
    List<ValueType> own = new ArrayList<>(operands.subList(0, states));
    Dim length = null;
    for (int i = states; i < operands.size(); i++) {
      List<Dim> dims = new ArrayList<>(operands.get(i).dims());
      length = dims.remove(axis(node, "scan_input_axes", i - states, dims.size()));
      own.add(ValueType.of(operands.get(i).dtype(), dims));
    }
    List<ValueType> made = Body.infer(node, BODY, own, inputs);
    List<ValueType> types = new ArrayList<>();
    for (int i = 0; i < made.size(); i++) {
      ValueType type = made.get(i);
      if (type == null || i < states && !type.dims().equals(own.get(i).dims())) {
        throw new DataDependentException(node, "shape");
      }
      List<Dim> dims = new ArrayList<>(type.dims());
      if (i >= states) {
        dims.add(axis(node, "scan_output_axes", i - states, dims.size() + 1), length);
      }
      types.add(ValueType.of(type.dtype(), dims));
    }
    return types;
  }

  private static int states(Node node, int operands) {
    long scanned = node.intAttribute("num_scan_inputs", 0);
    if (scanned < 1 || scanned > operands) {
      throw node.problem("scans " + scanned + " of " + operands + " inputs", "export it again");
    }
    return operands - (int) scanned;
  }

  private static int axis(Node node, String attribute, int i, int rank) {
    List<Long> axes = node.intsAttribute(attribute).orElse(List.of());
    return Axes.normalise(node, i < axes.size() ? axes.get(i) : 0, rank);
  }

  private static boolean backward(Node node, String attribute, int i) {
    List<Long> directions = node.intsAttribute(attribute).orElse(List.of());
    return i < directions.size() && directions.get(i) != 0;
  }

  @Override
  public Tensor[] compute(Node node, int opset, Tensor[] operands) {
    Body body = new Body(node, BODY, Body.values(operands));
    List<Tensor> own = new ArrayList<>(Arrays.asList(operands).subList(0, Body.operands(node)));
    if (opset >= BATCH_WENT_AWAY) {
      if (own.contains(null)) {
        throw node.problem("lacks an input", "export the graph again");
      }
      return scan(node, body, own).toArray(Tensor[]::new);
    }
    if (own.removeFirst() != null) {
      throw node.unsupported("scans sequences of different lengths", "export it for set 9");
    }
    Stacks samples = new Stacks(node, node.outputs().size());
    for (long b = 0; b < own.getFirst().shape().extent(0); b++) {
      long sample = b;
      samples.push(scan(node, body, own.stream().map(each -> slice(each, 0, sample)).toList()));
    }
    List<Tensor> results = new ArrayList<>();
    for (int i = 0; i < node.outputs().size(); i++) {
      results.add(samples.join(i, 0, body.graph().outputs().get(i)));
    }
    return results.toArray(Tensor[]::new);
  }

  private static List<Tensor> scan(Node node, Body body, List<Tensor> operands) {
    int states = states(node, operands.size());
    int stacked = body.graph().outputs().size() - states;
    if (stacked < 0 || node.outputs().size() > states + stacked) {
      throw node.problem("has a graph with too few outputs", "export it again");
    }
    long length = -1;
    for (int i = states; i < operands.size(); i++) {
      Shape shape = operands.get(i).shape();
      long own = shape.extent(axis(node, "scan_input_axes", i - states, shape.rank()));
      if (length >= 0 && own != length) {
        throw node.problem("scans " + length + " and " + own + " slices", "make them equal");
      }
      length = own;
    }
    List<Tensor> state = operands.subList(0, states);
    List<List<Tensor>> runs = new ArrayList<>();
    for (long run = 0; run < length; run++) {
      List<Tensor> inputs = new ArrayList<>(state);
      for (int i = states; i < operands.size(); i++) {
        long at = backward(node, "scan_input_directions", i - states) ? length - 1 - run : run;
        int axis = axis(node, "scan_input_axes", i - states, operands.get(i).shape().rank());
        inputs.add(slice(operands.get(i), axis, at));
      }
      List<Tensor> made = body.runTensors(inputs);
      state = made.subList(0, states);
      runs.add(made.subList(states, made.size()));
    }
    List<Tensor> results = new ArrayList<>(state);
    for (int i = 0; i < stacked; i++) {
      int output = i;
      List<List<Tensor>> inOrder =
          backward(node, "scan_output_directions", i) ? runs.reversed() : runs;
      Stacks stack = new Stacks(node, 1);
      inOrder.forEach(run -> stack.push(List.of(run.get(output))));
      int rank = runs.isEmpty() ? 0 : runs.getFirst().get(i).shape().rank();
      results.add(
          stack.join(
              0,
              axis(node, "scan_output_axes", i, rank + 1),
              body.graph().outputs().get(states + i)));
    }
    return results.subList(0, node.outputs().size());
  }

  /** One slice of a tensor across an axis, which goes away. */
  private static Tensor slice(Tensor tensor, int axis, long at) {
    List<Long> extents = new ArrayList<>();
    for (long extent : tensor.shape().extents()) {
      extents.add(extent);
    }
    extents.remove(axis);
    Tensor slice =
        Tensor.zeros(
            tensor.dtype(), Shape.of(extents.stream().mapToLong(Long::longValue).toArray()));
    Lines lines = Lines.of(tensor.shape(), axis);
    long outer = Elements.product(tensor.shape(), 0, axis);
    for (long o = 0; o < outer; o++) {
      long from = (o * lines.length() + at) * lines.step();
      Elements.copy(tensor, from, slice, o * lines.step(), lines.step());
    }
    return slice;
  }
}
