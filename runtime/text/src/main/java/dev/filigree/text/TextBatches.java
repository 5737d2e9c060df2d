package dev.filigree.text;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.graph.ValueInfo;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Texts as inputs of a text encoder in batches of one length each, so that nothing is padding: what
 * calibration needs, where every position counts.
 */
public final class TextBatches {
  /** Tokens of a batch at most: enough to keep the kernels busy, few enough to stay in memory. */
  private static final int BATCH_TOKENS = 4096;

  private TextBatches() {}

  /**
   * Batches by ascending length.
   *
   * @param model a text encoder with its tokenizer
   * @param most tokens of a text; longer ones are cut
   * @throws InputException if there are no texts or {@code most} leaves no room for one
   * @throws dev.filigree.FormatException if the model has no tokenizer
   */
  public static List<Map<String, Tensor>> of(Model model, List<String> texts, int most) {
    if (texts.isEmpty() || most < 3) {
      throw new InputException(
          texts.size() + " texts of at most " + most + " tokens",
          "pass at least one text, and 3 tokens or more: one between the special ones");
    }
    Map<Integer, List<Tokenizer.Tokens>> byLength = new TreeMap<>();
    try (Tokenizer tokenizer = Tokenizer.of(model)) {
      for (Tokenizer.Tokens tokens : tokenizer.encode(texts)) {
        Tokenizer.Tokens cut = tokens.cut(most);
        byLength.computeIfAbsent(cut.count(), length -> new ArrayList<>()).add(cut);
      }
    }
    List<Map<String, Tensor>> batches = new ArrayList<>();
    byLength.forEach(
        (length, all) -> {
          int together = Math.max(1, BATCH_TOKENS / length);
          for (int from = 0; from < all.size(); from += together) {
            batches.add(
                batch(model, length, all.subList(from, Math.min(all.size(), from + together))));
          }
        });
    return batches;
  }

  private static Map<String, Tensor> batch(Model model, int length, List<Tokenizer.Tokens> texts) {
    Map<String, Tensor> inputs = new LinkedHashMap<>();
    for (ValueInfo input : model.inputs()) {
      long[] values = new long[texts.size() * length];
      for (int row = 0; row < texts.size(); row++) {
        int at = row * length;
        switch (input.name()) {
          case SentenceModel.IDS -> System.arraycopy(texts.get(row).ids(), 0, values, at, length);
          case SentenceModel.MASK -> Arrays.fill(values, at, at + length, 1);
          default -> System.arraycopy(texts.get(row).types(), 0, values, at, length);
        }
      }
      inputs.put(input.name(), Tensor.of(values, texts.size(), length));
    }
    return inputs;
  }
}
