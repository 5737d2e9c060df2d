package dev.filigree.benchmarks;

import dev.filigree.Model;
import dev.filigree.Tensor;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;

/** What text encoders take of texts of made-up tokens. */
final class MadeUpTexts {
  private MadeUpTexts() {}

  /**
   * Inputs by name, each {@code [texts, longest]}.
   *
   * @param lengths tokens of each text
   * @param seed of the tokens
   */
  static Map<String, Tensor> padded(Model model, int[] lengths, int longest, int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    long[] ids = new long[lengths.length * longest];
    long[] mask = new long[ids.length];
    for (int row = 0; row < lengths.length; row++) {
      for (int i = row * longest; i < row * longest + lengths[row]; i++) {
        ids[i] = random.nextInt(1000, 20_000);
        mask[i] = 1;
      }
    }
    Map<String, Tensor> inputs = new HashMap<>();
    model
        .inputs()
        .forEach(
            input -> {
              long[] values =
                  switch (input.name()) {
                    case "input_ids" -> ids;
                    case "attention_mask" -> mask;
                    default -> new long[ids.length];
                  };
              inputs.put(input.name(), Tensor.of(values, lengths.length, longest));
            });
    return inputs;
  }
}
