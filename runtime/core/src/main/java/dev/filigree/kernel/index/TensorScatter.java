package dev.filigree.kernel.index;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Writes new tokens into a cache (ONNX operator set 24).
 *
 * <p>Inputs: cache {@code [batch, ..., longest, ...]}, update {@code [batch, ..., tokens, ...]} and
 * optionally i64 {@code [batch]} where each batch's update begins. Output: of the cache's shape.
 */
public final class TensorScatter implements Operator {
  private static final int STARTS = 2;

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType cache = inputs.required(0);
    ValueType update = inputs.required(1);
    if (cache.rank() < 2 || update.rank() != cache.rank() || update.dtype() != cache.dtype()) {
      throw node.problem("writes " + update + " into " + cache, "type and axes must agree");
    }
    isCircular(node);
    return List.of(ValueType.of(cache.dtype(), cache.dims()));
  }

  private static boolean isCircular(Node node) {
    return switch (node.textAttribute("mode", "linear")) {
      case "linear" -> false;
      case "circular" -> true;
      case String other ->
          throw node.problem("writes in the mode '" + other + "'", "use linear or circular");
    };
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor cache = binding.input(0);
    Tensor update = binding.input(1);
    Tensor starts = binding.has(STARTS) ? binding.input(STARTS) : null;
    Tensor y = binding.output();
    int rank = cache.shape().rank();
    int axis = Axes.normalise(node, node.intAttribute("axis", -2), rank);
    long outer = 1;
    long inner = 1;
    for (int a = 0; a < rank; a++) {
      boolean same = cache.shape().extent(a) == update.shape().extent(a);
      if (axis == 0 || a != axis && !same) {
        throw node.problem(
            "writes " + update + " into " + cache + " along axis " + axis,
            "only the extents of that axis may differ, and it is not the first");
      }
      outer *= a < axis ? cache.shape().extent(a) : 1;
      inner *= a > axis ? cache.shape().extent(a) : 1;
    }
    long longest = cache.shape().extent(axis);
    long tokens = update.shape().extent(axis);
    long perBatch = cache.shape().extent(0) == 0 ? 1 : outer / cache.shape().extent(0);
    boolean circular = isCircular(node);
    long rows = outer;
    long width = inner;
    return () -> {
      cache.copyTo(y);
      for (long row = 0; row < rows; row++) {
        long start = starts == null ? 0 : starts.getLong(row / perBatch);
        if (start < 0 || tokens > longest || !circular && start > longest - tokens) {
          throw node.problem(
              "writes " + tokens + " tokens from " + start + " on into " + longest,
              "give the cache more room");
        }
        for (long t = 0; t < tokens; t++) {
          long at = row * longest + (start + t) % longest;
          Elements.copy(update, (row * tokens + t) * width, y, at * width, width);
        }
      }
    };
  }
}
