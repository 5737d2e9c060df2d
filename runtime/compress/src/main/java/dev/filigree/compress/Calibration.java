package dev.filigree.compress;

import dev.filigree.InputCheck;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Inputs of a model from which the inputs of its layers are learned. Every position counts, so a
 * batch of texts holds texts of one length and no padding.
 *
 * @param batches inputs by name
 */
public record Calibration(List<Map<String, Tensor>> batches) {
  public Calibration {
    batches = batches.stream().map(Map::copyOf).toList();
    if (batches.isEmpty()) {
      throw new InputException("there are no calibration samples", "pass at least a few texts");
    }
  }

  /** Samples: the sum of the batches' first extents. */
  int samples() {
    return batches.stream().mapToInt(Calibration::samples).sum();
  }

  private static int samples(Map<String, Tensor> batch) {
    Tensor any = batch.values().iterator().next();
    return any.shape().rank() == 0 ? 1 : (int) any.shape().extent(0);
  }

  /**
   * About as many samples as asked for, the same share of every batch, so that all lengths are
   * among them.
   */
  Calibration part(int wanted) {
    double share = (double) wanted / samples();
    if (share >= 1) {
      return this;
    }
    List<Map<String, Tensor>> parts = new ArrayList<>();
    double owed = 0;
    for (Map<String, Tensor> batch : batches) {
      owed += share * samples(batch);
      int count = (int) Math.min(samples(batch), Math.round(owed));
      owed -= count;
      if (count > 0) {
        Map<String, Tensor> part = new LinkedHashMap<>();
        batch.forEach((name, tensor) -> part.put(name, first(tensor, count)));
        parts.add(part);
      }
    }
    return new Calibration(parts);
  }

  private static Tensor first(Tensor tensor, int count) {
    Tensor whole = tensor.contiguous();
    Shape shape = whole.shape();
    if (shape.rank() == 0) {
      return whole;
    }
    long[] extents = new long[shape.rank()];
    for (int axis = 0; axis < extents.length; axis++) {
      extents[axis] = axis == 0 ? count : shape.extent(axis);
    }
    long bytes = whole.bytes() / shape.extent(0) * count;
    return Tensor.of(whole.dtype(), Shape.of(extents), whole.data().asSlice(0, bytes));
  }

  /**
   * Refuses samples that are none of a model's.
   *
   * @throws InputException that says what a session says of the same inputs, and of which model
   */
  void check(Model model) {
    InputCheck check = new InputCheck(model.inputs(), model.outputs());
    for (Map<String, Tensor> batch : batches) {
      try {
        check.inputs(batch);
      } catch (InputException wrong) {
        throw new InputException(
            "a calibration sample does not fit " + model.path() + ": " + wrong.problem(),
            wrong.remedy(),
            wrong);
      }
    }
  }
}
