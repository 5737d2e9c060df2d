package dev.filigree.kernel.shape;

import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeSet;

/**
 * Operators that keep every element where it is and only see it under another shape. A plan gives
 * their output the memory of their input; where it does not, the kernel copies.
 */
public enum View implements Operator {
  IDENTITY {
    @Override
    List<Dim> dims(Node node, Inputs inputs, ValueType x) {
      return x.dims();
    }
  },

  RESHAPE {
    @Override
    public int leastInputs() {
      return 2;
    }

    @Override
    List<Dim> dims(Node node, Inputs inputs, ValueType x) {
      ValueType shape = inputs.required(1);
      if (shape.content() == null) {
        throw new DataDependentException(node, "shape");
      }
      boolean zeroIsZero = node.intAttribute("allowzero", 0) != 0;
      List<Dim> dims = new ArrayList<>();
      int inferred = -1;
      for (int axis = 0; axis < shape.content().size(); axis++) {
        Dim dim = shape.content().get(axis);
        if (dim.is(-1)) {
          if (inferred >= 0) {
            throw node.problem(
                "infers two extents of " + shape.content(), "leave one of them open");
          }
          inferred = axis;
          dim = Dim.ONE;
        } else if (dim.is(0) && !zeroIsZero) {
          if (axis >= x.rank()) {
            throw node.problem(
                "copies extent " + axis + " of " + x, "the input has only " + x.rank() + " axes");
          }
          dim = x.dim(axis);
        } else if (dim.isKnown() && dim.value() < 0) {
          throw node.problem("asks for the shape " + shape.content(), "extents are 0 or more");
        }
        dims.add(dim);
      }
      Dim total = Dim.product(x.dims());
      if (inferred >= 0) {
        dims.set(inferred, inferredExtent(node, x, total, dims));
      }
      Dim reshaped = Dim.product(dims);
      if (total.isKnown() && reshaped.isKnown() && !total.equals(reshaped)) {
        throw node.problem(
            "reshapes " + x + " to " + dims, "the number of elements must stay the same");
      }
      return dims;
    }

    @Override
    public OptionalInt rank(Node node, Inputs inputs) {
      return Axes.count(inputs.required(1));
    }

    private Dim inferredExtent(Node node, ValueType x, Dim total, List<Dim> dims) {
      Dim rest = Dim.product(dims);
      if (rest.is(0)) {
        return Dim.of(0);
      }
      Optional<Dim> quotient = total.dividedBy(rest);
      if (quotient.isEmpty() && total.isKnown() && rest.isKnown()) {
        throw node.problem(
            "reshapes " + x + " to " + dims,
            "the known extents must divide the number of elements");
      }
      return quotient.orElseGet(() -> Dim.symbol("(" + total + " / " + rest + ")"));
    }
  },

  UNSQUEEZE {
    @Override
    List<Dim> dims(Node node, Inputs inputs, ValueType x) {
      List<Long> axes =
          Axes.of(node, inputs, "axes", inputs.opset() >= 13 ? 1 : -1)
              .orElseThrow(() -> node.problem("names no axes", "export the graph again"));
      int rank = x.rank() + axes.size();
      TreeSet<Integer> inserted = new TreeSet<>();
      for (long axis : axes) {
        if (!inserted.add(Axes.normalise(node, axis, rank))) {
          throw node.problem("inserts axis " + axis + " twice", "name each axis once");
        }
      }
      List<Dim> dims = new ArrayList<>();
      for (int axis = 0, from = 0; axis < rank; axis++) {
        dims.add(inserted.contains(axis) ? Dim.ONE : x.dim(from++));
      }
      return dims;
    }
  },

  SQUEEZE {
    @Override
    List<Dim> dims(Node node, Inputs inputs, ValueType x) {
      Optional<List<Long>> axes = Axes.of(node, inputs, "axes", inputs.opset() >= 13 ? 1 : -1);
      TreeSet<Integer> removed = new TreeSet<>();
      for (int axis = 0; axis < x.rank() && axes.isEmpty(); axis++) {
        if (!x.dim(axis).isKnown()) {
          throw new DataDependentException(node, "axes");
        }
        if (x.dim(axis).is(1)) {
          removed.add(axis);
        }
      }
      for (long axis : axes.orElse(List.of())) {
        int at = Axes.normalise(node, axis, x.rank());
        if (x.dim(at).isKnown() && !x.dim(at).is(1)) {
          throw node.problem("removes axis " + axis + " of " + x, "only an extent of 1 can go");
        }
        removed.add(at);
      }
      List<Dim> dims = new ArrayList<>();
      for (int axis = 0; axis < x.rank(); axis++) {
        if (!removed.contains(axis)) {
          dims.add(x.dim(axis));
        }
      }
      return dims;
    }
  },

  FLATTEN {
    @Override
    List<Dim> dims(Node node, Inputs inputs, ValueType x) {
      long axis = node.intAttribute("axis", 1);
      // axis may be the rank itself, which puts everything before it
      int at = axis == x.rank() ? x.rank() : Axes.normalise(node, axis, Math.max(1, x.rank()));
      return List.of(
          Dim.product(x.dims().subList(0, at)), Dim.product(x.dims().subList(at, x.rank())));
    }
  };

  abstract List<Dim> dims(Node node, Inputs inputs, ValueType x);

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    return List.of(x.withDims(dims(node, inputs, x)));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    if (x.data().equals(y.data())) {
      return () -> {};
    }
    return () -> y.data().copyFrom(x.data());
  }
}
