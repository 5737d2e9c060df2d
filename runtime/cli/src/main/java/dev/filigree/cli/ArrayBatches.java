package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.ValueInfo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Samples in arrays, one file for each input of a model. */
final class ArrayBatches {
  /** Samples that run together where the model leaves that open. */
  private static final int BATCH = 32;

  private ArrayBatches() {}

  /**
   * Arrays cut into batches of as many samples as the model takes.
   *
   * @param option that named them
   * @param samples at most
   * @throws UsageException if they are not those of the model's inputs, or if it has none
   */
  static List<Map<String, Tensor>> of(
      String option, Map<String, Path> arrays, int samples, Model model) {
    if (model.inputs().isEmpty()) {
      throw new UsageException(
          option + ": the model takes no inputs, so no array can be given; leave it out");
    }
    Map<String, Tensor> whole = new LinkedHashMap<>();
    arrays.forEach((name, path) -> whole.put(name, array(option, name, path)));
    for (ValueInfo input : model.inputs()) {
      if (!whole.containsKey(input.name())) {
        throw new UsageException(
            option
                + " has no array for the input '"
                + input.name()
                + "'; the model takes "
                + model.inputs());
      }
    }
    for (String name : whole.keySet()) {
      if (model.inputs().stream().noneMatch(input -> input.name().equals(name))) {
        throw new UsageException(
            option + " " + name + " is no input; the model takes " + model.inputs());
      }
    }
    long count = whole.values().iterator().next().shape().extent(0);
    whole.forEach(
        (name, tensor) -> {
          if (tensor.shape().extent(0) != count) {
            throw new UsageException(
                option
                    + " "
                    + name
                    + " holds "
                    + tensor.shape().extent(0)
                    + " samples where another holds "
                    + count
                    + "; give all inputs the same samples");
          }
        });
    long used = Math.min(count, samples);
    long batch = batch(option, model, used);
    List<Map<String, Tensor>> batches = new ArrayList<>();
    // a model of one size of batch takes whole ones only
    boolean isFixed = fixed(model) > 0;
    for (long from = 0; from < used && (!isFixed || from + batch <= used); from += batch) {
      Map<String, Tensor> part = new LinkedHashMap<>();
      for (Map.Entry<String, Tensor> entry : whole.entrySet()) {
        part.put(entry.getKey(), slice(entry.getValue(), from, Math.min(used, from + batch)));
      }
      batches.add(part);
    }
    return batches;
  }

  private static Tensor array(String option, String name, Path path) {
    Tensor tensor = Npy.read(path);
    if (tensor.shape().rank() == 0 || tensor.shape().extent(0) == 0) {
      throw new UsageException(
          option + " " + name + "=" + path + " holds no samples along its first axis");
    }
    return tensor;
  }

  /** The samples of a batch that the model insists on, or 0. */
  private static long fixed(Model model) {
    ValueInfo first = model.inputs().getFirst();
    Dim dim = first.dims() == null || first.dims().isEmpty() ? null : first.dims().getFirst();
    return dim != null && dim.isKnown() ? dim.value() : 0;
  }

  private static long batch(String option, Model model, long samples) {
    long fixed = fixed(model);
    if (fixed > samples) {
      throw new UsageException(
          option
              + " has "
              + samples
              + " samples but the model takes batches of "
              + fixed
              + "; pass at least as many");
    }
    return fixed > 0 ? fixed : BATCH;
  }

  private static Tensor slice(Tensor whole, long from, long to) {
    Tensor dense = whole.contiguous();
    Shape shape = dense.shape();
    long[] extents = shape.extents();
    extents[0] = to - from;
    long each = dense.bytes() / shape.extent(0);
    return Tensor.of(
        dense.dtype(), Shape.of(extents), dense.data().asSlice(from * each, (to - from) * each));
  }
}
