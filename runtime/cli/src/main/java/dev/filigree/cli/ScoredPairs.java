package dev.filigree.cli;

import dev.filigree.compress.Fidelity;
import dev.filigree.text.SentenceEncoder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Pairs of texts that people scored by how alike they are: what a sentence encoder is for, and so
 * the accuracy of one.
 *
 * @param scores of the pairs
 * @param first text of each
 * @param second text of each
 */
record ScoredPairs(double[] scores, List<String> first, List<String> second) {
  /**
   * Reads lines of a score, a text and a text, with tabs between.
   *
   * @throws UsageException if the file cannot be read or a line is none
   */
  static ScoredPairs read(String option, Path file) {
    List<String> lines = TextLines.read(option, file);
    double[] scores = new double[lines.size()];
    List<String> first = new ArrayList<>();
    List<String> second = new ArrayList<>();
    for (int i = 0; i < scores.length; i++) {
      String[] parts = lines.get(i).split("\t", -1);
      try {
        if (parts.length != 3 || parts[1].isBlank() || parts[2].isBlank()) {
          throw new NumberFormatException("no three parts");
        }
        scores[i] = Double.parseDouble(parts[0].strip());
      } catch (NumberFormatException wrong) {
        throw new UsageException(
            option
                + " "
                + file
                + ": '"
                + Output.cut(lines.get(i), 60)
                + "' is no score, text and text; write them with tabs between");
      }
      first.add(parts[1]);
      second.add(parts[2]);
    }
    if (scores.length < 3) {
      throw new UsageException(
          option + " " + file + " has " + scores.length + " pairs; three are the least");
    }
    return new ScoredPairs(scores, first, second);
  }

  /** Spearman's rank correlation of the scores with the cosines of an encoder's vectors. */
  double accuracy(SentenceEncoder encoder) {
    float[][] a = encoder.embed(first);
    float[][] b = encoder.embed(second);
    double[] cosines = new double[scores.length];
    for (int i = 0; i < cosines.length; i++) {
      cosines[i] = SentenceEncoder.cosine(a[i], b[i]);
    }
    return Fidelity.spearman(scores, cosines);
  }
}
