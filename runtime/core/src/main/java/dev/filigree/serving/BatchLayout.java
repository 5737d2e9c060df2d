package dev.filigree.serving;

import dev.filigree.FiligreeException;
import dev.filigree.GraphException;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.ValueInfo;
import dev.filigree.spi.Runner;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * How the tensors of several requests become those of one run, and its outputs those of each:
 * requests lie one after the other along the first axis, which every input and output must have
 * without a fixed extent. Where a model masks what is padding ({@link Runner#MASK}), requests of
 * different length along the second axis are padded with zeros to one length, and outputs are cut
 * back. Where a session leaves the padding out ({@link Session#leavesOutPadding}), lengths may
 * differ much and rows are added without tokens, so that few plans serve all batches. Immutable.
 */
final class BatchLayout {
  /** Length where the search for a model's limit ends. */
  private static final int LONGEST = 1 << 16;

  /**
   * Lengths up to which requests run together where padding is left out. Odd, so that no other axis
   * of a model is as long, or all tokens would run.
   */
  private static final int[] UNEVEN = {31, 61, 127, 251, 509};

  private final String model;
  private final List<ValueInfo> inputs;
  private final List<ValueInfo> outputs;
  private final BatchOptions options;
  private final boolean together;
  private final Optional<Dim> length;
  private final int longest;
  private final boolean uneven;

  private BatchLayout(Session session, BatchOptions options, boolean together) {
    Model model = session.model();
    this.model = model.path().toString();
    this.inputs = model.inputs();
    this.outputs = model.outputs();
    this.options = options;
    this.together = together;
    this.length = together ? length() : Optional.empty();
    this.longest = length.map(symbol -> model.longest(symbol.toString(), LONGEST)).orElse(0);
    this.uneven = length.isPresent() && leavesOutPadding(session);
  }

  private boolean leavesOutPadding(Session session) {
    Map<String, Shape> shapes = new HashMap<>();
    for (ValueInfo input : inputs) {
      if (input.dims().size() != 2 || !isLength(input, 1)) {
        return false;
      }
      shapes.put(input.name(), Shape.of(2, Math.min(longest, UNEVEN[0])));
    }
    try {
      return session.leavesOutPadding(shapes);
    } catch (FiligreeException cannot) {
      // what a model does not take is told to the request that asks for it
      return false;
    }
  }

  /** The axis that may be padded: masked in the inputs, and cut back in every output it reaches. */
  private Optional<Dim> length() {
    return inputs.stream()
        .filter(input -> input.name().equals(Runner.MASK) && input.dims().size() > 1)
        .map(input -> input.dims().get(1))
        .filter(dim -> !dim.isKnown() && outputs.stream().allMatch(o -> canCutBack(o, dim)))
        .findFirst();
  }

  /** Whether no axis of an output can depend on the length unseen. */
  private static boolean canCutBack(ValueInfo output, Dim length) {
    for (int axis = 1; output.dims() != null && axis < output.dims().size(); axis++) {
      Dim dim = output.dims().get(axis);
      if (!dim.isKnown() && !(axis == 1 && dim.equals(length))) {
        return false;
      }
    }
    return output.dims() != null;
  }

  /**
   * The layout for a model.
   *
   * @throws UnsupportedException if some input or output has no variable first axis
   */
  static BatchLayout of(Session session, BatchOptions options) {
    Model model = session.model();
    Stream.concat(
            model.inputs().stream().filter(value -> !isBatched(value)),
            model.outputs().stream().filter(value -> value.dims() != null && !isBatched(value)))
        .findFirst()
        .ifPresent(
            value -> {
              throw new UnsupportedException(
                  model.path()
                      + " cannot run requests together: "
                      + value
                      + " has no variable first axis",
                  "export it with a symbolic batch axis, or run its requests one at a time"
                      + " (Batcher.oneByOne)");
            });
    return new BatchLayout(session, options, true);
  }

  /** The layout that leaves every request as it is. */
  static BatchLayout oneByOne(Session session, BatchOptions options) {
    return new BatchLayout(session, options, false);
  }

  private static boolean isBatched(ValueInfo value) {
    return value.dims() != null && !value.dims().isEmpty() && !value.dims().getFirst().isKnown();
  }

  /**
   * What requests must have in common to run together: the extents of all inputs but rows, and
   * lengths by the bucket they are padded to.
   *
   * @param request that the model takes
   * @throws InputException if the inputs have different numbers of rows, or none
   */
  Map<String, List<Long>> signature(Map<String, Tensor> request) {
    if (!together) {
      return Map.of();
    }
    long rows = rows(request);
    Map<String, List<Long>> signature = new HashMap<>();
    for (ValueInfo input : inputs) {
      Shape shape = request.get(input.name()).shape();
      if (shape.extent(0) != rows || rows == 0) {
        throw new InputException(
            "input '"
                + input.name()
                + "' has "
                + shape.extent(0)
                + " rows"
                + (rows == 0 ? "" : ", others " + rows),
            "pass as many rows in every input, and at least one");
      }
      List<Long> extents = new ArrayList<>(shape.rank() - 1);
      for (int axis = 1; axis < shape.rank(); axis++) {
        extents.add(padded(input, axis, shape.extent(axis)));
      }
      signature.put(input.name(), extents);
    }
    return signature;
  }

  private long padded(ValueInfo value, int axis, long extent) {
    return isLength(value, axis) ? bucket(extent) : extent;
  }

  /** The length a request is padded to, never more than the model takes. */
  private long bucket(long own) {
    long next = uneven ? unevenBucket(own) : options.bucket(own);
    return Math.max(own, Math.min(longest, next));
  }

  private static long unevenBucket(long own) {
    return Arrays.stream(UNEVEN).filter(length -> length >= own).findFirst().orElse((int) own);
  }

  private boolean isLength(ValueInfo value, int axis) {
    return axis == 1
        && length.isPresent()
        && value.dims().size() > 1
        && value.dims().get(1).equals(length.get());
  }

  /** Rows that a request takes of a batch. */
  long rows(Map<String, Tensor> request) {
    return together ? request.get(inputs.getFirst().name()).shape().extent(0) : 1;
  }

  private long lengthOf(Map<String, Tensor> request) {
    return length.isEmpty() ? -1 : request.get(Runner.MASK).shape().extent(1);
  }

  /**
   * Runs some requests of the same signature together.
   *
   * @return the outputs of each
   */
  List<Map<String, Tensor>> run(Session session, List<BatchRequest> requests) {
    Map<String, Tensor> joined = join(requests);
    boolean asItIs = requests.size() == 1 && !isPadded(requests.getFirst().inputs());
    return split(
        requests, uneven && !asItIs ? session.run(joined, lengths(requests)) : session.run(joined));
  }

  /** Tokens of each row of a run; 0 for rows that are none. */
  private int[] lengths(List<BatchRequest> requests) {
    int[] lengths = new int[Math.toIntExact(rows(requests))];
    int row = 0;
    for (BatchRequest request : requests) {
      int own = Math.toIntExact(lengthOf(request.inputs()));
      Arrays.fill(lengths, row, row + Math.toIntExact(request.rows()), own);
      row += Math.toIntExact(request.rows());
    }
    return lengths;
  }

  /** The inputs of one run for some requests of the same signature. */
  Map<String, Tensor> join(List<BatchRequest> requests) {
    Map<String, Tensor> only = requests.getFirst().inputs();
    if (requests.size() == 1 && !isPadded(only)) {
      return only;
    }
    Map<String, Tensor> joined = new LinkedHashMap<>();
    for (ValueInfo input : inputs) {
      Tensor first = only.get(input.name());
      long[] extents = first.shape().extents();
      extents[0] = rows(requests);
      for (int axis = 1; axis < extents.length; axis++) {
        extents[axis] = padded(input, axis, extents[axis]);
      }
      Tensor tensor = Tensor.zeros(first.dtype(), Shape.of(extents));
      long row = 0;
      for (BatchRequest request : requests) {
        row += copyRows(request.inputs().get(input.name()).contiguous(), tensor, 0, row);
      }
      joined.put(input.name(), tensor);
    }
    return joined;
  }

  /** Rows of a run: where padding costs nothing a power of two, so that there are few plans. */
  private long rows(List<BatchRequest> requests) {
    long rows = 0;
    for (BatchRequest request : requests) {
      rows += request.rows();
    }
    return uneven && rows > 1 ? Long.highestOneBit(rows - 1) << 1 : rows;
  }

  /**
   * Outputs of each request from those of the run they were joined to.
   *
   * @throws GraphException if an output has not one row for each row of the inputs
   */
  List<Map<String, Tensor>> split(List<BatchRequest> requests, Map<String, Tensor> results) {
    if (requests.size() == 1 && !isPadded(requests.getFirst().inputs())) {
      return List.of(results);
    }
    long all = rows(requests);
    List<Map<String, Tensor>> split = new ArrayList<>(requests.size());
    long row = 0;
    for (BatchRequest request : requests) {
      Map<String, Tensor> own = new LinkedHashMap<>();
      for (ValueInfo output : outputs) {
        Tensor result = results.get(output.name());
        own.put(output.name(), part(output, result, request, row, all));
      }
      split.add(own);
      row += request.rows();
    }
    return split;
  }

  private Tensor part(
      ValueInfo output, Tensor result, BatchRequest request, long row, long allRows) {
    long[] extents = result.shape().extents();
    if (extents.length == 0 || extents[0] != allRows) {
      throw new GraphException(
          model + " made output '" + output.name() + "' as " + result + " of " + allRows + " rows",
          "run its requests one at a time: this output is not one row for each row of the inputs");
    }
    extents[0] = request.rows();
    if (isLength(output, 1)) {
      extents[1] = lengthOf(request.inputs());
    }
    Tensor part = Tensor.zeros(result.dtype(), Shape.of(extents));
    copyRows(result, part, row, 0);
    return part;
  }

  private boolean isPadded(Map<String, Tensor> request) {
    long own = lengthOf(request);
    return own >= 0 && bucket(own) != own;
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
    if (inFrom == inTo) {
      MemorySegment.copy(from.data(), fromRow * inFrom, to.data(), toRow * inTo, rows * inTo);
      return rows;
    }
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
