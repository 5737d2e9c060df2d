package dev.filigree.compress;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.graph.ValueInfo;
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

  /** Refuses samples that are none of a model's. */
  void check(Model model) {
    for (Map<String, Tensor> batch : batches) {
      for (ValueInfo input : model.inputs()) {
        Tensor tensor = batch.get(input.name());
        if (tensor == null || tensor.dtype() != input.dtype()) {
          throw new InputException(
              "a calibration sample has "
                  + (tensor == null ? "no input" : tensor + " for the input")
                  + " '"
                  + input.name()
                  + "' of "
                  + model.path(),
              "pass samples with the inputs " + model.inputs());
        }
      }
    }
  }
}
