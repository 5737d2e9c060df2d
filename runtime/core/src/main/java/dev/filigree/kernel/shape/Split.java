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
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Cuts a tensor along one axis into as many parts as the node has outputs: of given lengths, an
 * attribute before operator set 13 and an input from then on, or of equal ones, the last smaller
 * where they do not come out even.
 */
public final class Split implements Operator {
  private static final int LENGTHS_BECAME_INPUT = 13;

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    int axis = axis(node, x.rank());
    List<ValueType> parts = new ArrayList<>();
    for (long length : lengths(node, inputs, x, x.dim(axis))) {
      List<Dim> dims = new ArrayList<>(x.dims());
      dims.set(axis, Dim.of(length));
      parts.add(ValueType.of(x.dtype(), dims));
    }
    return parts;
  }

  @Override
  public OptionalInt rank(Node node, Inputs inputs) {
    return OptionalInt.of(inputs.required(0).rank());
  }

  private static int axis(Node node, int rank) {
    return Axes.normalise(node, node.intAttribute("axis", 0), rank);
  }

  private static List<Long> lengths(Node node, Inputs inputs, ValueType x, Dim extent) {
    int parts = node.outputs().size();
    int input = inputs.opset() >= LENGTHS_BECAME_INPUT ? 1 : -1;
    Optional<List<Long>> given = Axes.of(node, inputs, "split", input);
    if (!extent.isKnown()) {
      return given
          .filter(each -> each.size() == parts && each.stream().allMatch(length -> length >= 0))
          .orElseThrow(() -> new DataDependentException(node, "lengths"));
    }
    List<Long> lengths = given.orElseGet(() -> equal(extent.value(), parts));
    boolean fits =
        lengths.size() == parts
            && lengths.stream().allMatch(length -> length >= 0 && length <= extent.value())
            && lengths.stream().mapToLong(Long::longValue).sum() == extent.value();
    if (!fits) {
      throw node.problem(
          "cuts " + x + " into " + lengths + " for " + parts + " outputs",
          "give one length for each output, which together make the axis");
    }
    return lengths;
  }

  private static List<Long> equal(long extent, int parts) {
    long length = Math.ceilDiv(extent, parts);
    List<Long> lengths = new ArrayList<>(Collections.nCopies(parts, length));
    lengths.set(parts - 1, extent - length * (parts - 1));
    return lengths;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    int axis = axis(binding.node(), x.shape().rank());
    long count = 1;
    for (int a = 0; a < axis; a++) {
      count *= x.shape().extent(a);
    }
    long rows = count;
    long rowBytes = rows == 0 ? 0 : x.bytes() / rows;
    Tensor[] parts = binding.outputs().toArray(Tensor[]::new);
    long[] lengths =
        lengths(
                binding.node(),
                Axes.known(binding),
                ValueType.of(x.dtype(), x.shape()),
                Dim.of(x.shape().extent(axis)))
            .stream()
            .mapToLong(Long::longValue)
            .toArray();
    long unit = x.shape().extent(axis) == 0 ? 0 : rowBytes / x.shape().extent(axis);
    return () -> {
      long at = 0;
      for (int p = 0; p < parts.length; p++) {
        long bytes = lengths[p] * unit;
        for (long row = 0; row < rows && parts[p] != null; row++) {
          MemorySegment.copy(x.data(), row * rowBytes + at, parts[p].data(), row * bytes, bytes);
        }
        at += bytes;
      }
    };
  }
}
