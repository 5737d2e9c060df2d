package dev.filigree.kernel;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Map;
import java.util.Set;

/** What a model could use in the place of an operator that Filigree does not support. */
final class NearestOperator {
  private static final Map<String, String> KNOWN =
      Map.ofEntries(
          Map.entry("ConcatFromSequence", "Concat"),
          Map.entry("MaxRoiPool", "RoiAlign"),
          Map.entry("Multinomial", "ArgMax"),
          Map.entry("Optional", "If"),
          Map.entry("OptionalGetElement", "If"),
          Map.entry("OptionalHasElement", "If"),
          Map.entry("SequenceAt", "Gather"),
          Map.entry("SequenceConstruct", "Concat"),
          Map.entry("SequenceEmpty", "Concat"),
          Map.entry("SequenceErase", "Slice"),
          Map.entry("SequenceInsert", "Concat"),
          Map.entry("SequenceLength", "Shape"),
          Map.entry("SequenceMap", "Loop"),
          Map.entry("SplitToSequence", "Split"),
          Map.entry("StringNormalizer", "a tokenizer before the model"),
          Map.entry("TfIdfVectorizer", "a tokenizer before the model"));

  private NearestOperator() {}

  /** The nearest supported operator: a known one, or the one whose name differs least. */
  static String of(String type, Set<String> supported) {
    return KNOWN.getOrDefault(
        type,
        supported.stream()
            .min(
                Comparator.comparingInt((String name) -> distance(type, name))
                    .thenComparing(Comparator.naturalOrder()))
            .orElseThrow());
  }

  /** Letters to change, add or take away to make one name of another (Levenshtein, 1965). */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    Arrays.setAll(row, j -> j);
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int change = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(change, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
