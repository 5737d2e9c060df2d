package dev.filigree.serving;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.ValueInfo;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How the tensors of several requests become those of one run, and its outputs those of each:
 * requests lie one after the other along the first axis, which every input and output must have
 * without a fixed extent. Where a model masks what is padding ({@code attention_mask}), requests of
 * different length along the second axis are padded with zeros to one length, and outputs are cut
 * back. Immutable.
 */
final class BatchLayout {
  private static final String MASK = "attention_mask";

  private final List<ValueInfo> inputs;
  private final List<ValueInfo> outputs;
  private final BatchOptions options;
  private final Optional<Dim> length;

  private BatchLayout(Model model, BatchOptions options) {
    this.inputs = model.inputs();
    this.outputs = model.outputs();
    this.options = options;
    this.length =
        inputs.stream()
            .filter(input -> input.name().equals(MASK))
            .filter(input -> input.dims() != null && input.dims().size() > 1)
            .map(input -> input.dims().get(1))
            .filter(dim -> !dim.isKnown())
            .findFirst();
  }

  /**
   * The layout for a model.
   *
   * @throws UnsupportedException if some input or output has no variable first axis
   */
  static BatchLayout of(Model model, BatchOptions options) {
    for (ValueInfo value : model.inputs()) {
      if (!isBatched(value)) {
        throw refused(model, value);
      }
    }
    for (ValueInfo value : model.outputs()) {
      if (value.dims() != null && !isBatched(value)) {
        throw refused(model, value);
      }
    }
    return new BatchLayout(model, options);
  }

  private static boolean isBatched(ValueInfo value) {
    return value.dims() != null && !value.dims().isEmpty() && !value.dims().getFirst().isKnown();
  }

  private static UnsupportedException refused(Model model, ValueInfo value) {
    return new UnsupportedException(
        model.path() + " cannot run requests together: " + value + " has no variable first axis",
        "export it with a symbolic batch axis, or run its session directly");
  }

  /**
   * What requests must have in common to run together: the extents of all inputs but rows, and
   * lengths by the bucket they are padded to.
   *
   * @throws InputException if an input is missing or the inputs have different numbers of rows
   */
  Map<String, List<Long>> signature(Map<String, Tensor> request) {
    long rows = -1;
    Map<String, List<Long>> signature = new HashMap<>();
    for (ValueInfo input : inputs) {
      Tensor tensor = request.get(input.name());
      if (tensor == null || tensor.shape().rank() != input.dims().size()) {
        throw new InputException(
            tensor == null
                ? "input '" + input.name() + "' is missing"
                : "input '" + input.name() + "' is " + tensor,
            "pass " + input);
      }
      if (rows >= 0 && tensor.shape().extent(0) != rows) {
        throw new InputException(
            "input '"
                + input.name()
                + "' has "
                + tensor.shape().extent(0)
                + " rows, others "
                + rows,
            "pass as many rows in every input");
      }
      rows = tensor.shape().extent(0);
      List<Long> extents = new ArrayList<>();
      for (int axis = 1; axis < tensor.shape().rank(); axis++) {
        extents.add(padded(input, axis, tensor.shape().extent(axis)));
      }
      signature.put(input.name(), extents);
    }
    return signature;
  }

  private long padded(ValueInfo value, int axis, long extent) {
    return isLength(value, axis) ? options.bucket(extent) : extent;
  }

  private boolean isLength(ValueInfo value, int axis) {
    return axis == 1
        && length.isPresent()
        && value.dims() != null
        && value.dims().size() > 1
        && value.dims().get(1).equals(length.get());
  }

  /** Rows of a request. */
  long rows(Map<String, Tensor> request) {
    return request.get(inputs.getFirst().name()).shape().extent(0);
  }

  private long lengthOf(Map<String, Tensor> request) {
    return length.isEmpty() ? -1 : request.get(MASK).shape().extent(1);
  }

  /** The inputs of one run for some requests of the same signature. */
  Map<String, Tensor> join(List<Map<String, Tensor>> requests) {
    Map<String, Tensor> joined = new LinkedHashMap<>();
    for (ValueInfo input : inputs) {
      Tensor first = requests.getFirst().get(input.name());
      long[] extents = first.shape().extents();
      extents[0] = requests.stream().mapToLong(this::rows).sum();
      for (int axis = 1; axis < extents.length; axis++) {
        extents[axis] = padded(input, axis, extents[axis]);
      }
      Shape shape = Shape.of(extents);
      if (requests.size() == 1 && shape.equals(first.shape())) {
        joined.put(input.name(), first);
        continue;
      }
      Tensor tensor = Tensor.zeros(first.dtype(), shape);
      long row = 0;
      for (Map<String, Tensor> request : requests) {
        row += copyRows(request.get(input.name()).contiguous(), tensor, 0, row);
      }
      joined.put(input.name(), tensor);
    }
    return joined;
  }

  /** Outputs of each request from those of the run they were joined to. */
  List<Map<String, Tensor>> split(List<Map<String, Tensor>> requests, Map<String, Tensor> results) {
    if (requests.size() == 1 && !isPadded(requests.getFirst())) {
      return List.of(results);
    }
    List<Map<String, Tensor>> split = new ArrayList<>();
    long row = 0;
    for (Map<String, Tensor> request : requests) {
      long rows = rows(request);
      Map<String, Tensor> own = new LinkedHashMap<>();
      for (ValueInfo output : outputs) {
        Tensor result = results.get(output.name());
        long[] extents = result.shape().extents();
        extents[0] = rows;
        if (isLength(output, 1)) {
          extents[1] = lengthOf(request);
        }
        Tensor part = Tensor.zeros(result.dtype(), Shape.of(extents));
        copyRows(result, part, row, 0);
        own.put(output.name(), part);
      }
      split.add(own);
      row += rows;
    }
    return split;
  }

  private boolean isPadded(Map<String, Tensor> request) {
    long own = lengthOf(request);
    return own >= 0 && options.bucket(own) != own;
  }

  /**
   * Copies rows between tensors whose second axis may differ: as many elements as both have.
   *
   * @return rows copied
   */
  private static long copyRows(Tensor from, Tensor to, long fromRow, long toRow) {
    long rows = Math.min(from.shape().extent(0) - fromRow, to.shape().extent(0) - toRow);
    long inFrom = rowBytes(from);
    long inTo = rowBytes(to);
    long bytes = Math.min(inFrom, inTo);
    for (long row = 0; row < rows; row++) {
      MemorySegment.copy(
          from.data(), (fromRow + row) * inFrom, to.data(), (toRow + row) * inTo, bytes);
    }
    return rows;
  }

  private static long rowBytes(Tensor tensor) {
    long elements = 1;
    for (int axis = 1; axis < tensor.shape().rank(); axis++) {
      elements *= tensor.shape().extent(axis);
    }
    return elements * tensor.dtype().bytes();
  }
}
