package dev.filigree.compress.search;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.compress.Prediction;
import dev.filigree.compress.Recipe;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a search must keep to.
 *
 * @param kind what is bounded
 * @param bound bytes of the matrices, time of the linear layers over that of the dense ones, or the
 *     least mean cosine to the dense model
 */
public record Budget(Kind kind, double bound) {
  /** What may be bounded. */
  public enum Kind {
    /** Bytes of all matrices. */
    BYTES,
    /** Time of the linear layers, over that of the dense model's. */
    LATENCY,
    /** Mean cosine to the dense model; the bytes are to be least. */
    FIDELITY
  }

  /** Share of the predicted bytes that no result stays below. */
  private static final double CERTAINLY = 0.98;

  private static final Pattern TEXT =
      Pattern.compile(
          "(bytes|latency|fidelity)=(\\d{1,15}(?:\\.\\d{1,9})?)(B|[kK]B|MB|GB|KiB|MiB|GiB)?");

  public Budget {
    boolean fits =
        switch (kind) {
          case BYTES -> bound >= 1;
          case LATENCY -> bound > 0 && bound <= 1;
          case FIDELITY -> bound > 0 && bound < 1;
        };
    if (!fits) {
      throw new InputException(
          "a budget of " + kind.name().toLowerCase(Locale.ROOT) + "=" + bound + " leaves no choice",
          "use for example bytes=20MB, latency=0.6 or fidelity=0.98");
    }
  }

  /**
   * Refuses a number of bytes that no choice among recipes keeps to, before anything is compressed.
   *
   * @param recipes that each layer may be compressed by, or left as it is
   * @throws InputException if the smallest choice is larger
   */
  public void check(Model model, List<Recipe> recipes) {
    if (kind != Kind.BYTES) {
      return;
    }
    long[] least =
        Prediction.of(model, Recipe.named("dense")).matrices().stream()
            .mapToLong(Prediction.Matrix::bytes)
            .toArray();
    for (Recipe recipe : recipes) {
      List<Prediction.Matrix> predicted = Prediction.of(model, recipe).matrices();
      for (int i = 0; i < least.length; i++) {
        least[i] = Math.min(least[i], predicted.get(i).bytes());
      }
    }
    long sum = Arrays.stream(least).sum();
    // a little more than predicted, or less, may come out: thresholds are not met to the weight
    if (bound < sum * CERTAINLY) {
      throw new InputException(
          "no choice keeps to " + Math.round(bound) + " bytes; the least is about " + sum,
          "raise the budget or add a recipe that is smaller");
    }
  }

  /**
   * The budget a text names.
   *
   * @throws InputException if it names none
   */
  public static Budget parse(String text) {
    Matcher parts = TEXT.matcher(text);
    if (!parts.matches() || parts.group(3) != null && !parts.group(1).equals("bytes")) {
      throw new InputException(
          "'" + text + "' is no budget",
          "use for example bytes=20MB, latency=0.6 or fidelity=0.98");
    }
    double factor =
        switch (parts.group(3)) {
          case "kB", "KB" -> 1e3;
          case "MB" -> 1e6;
          case "GB" -> 1e9;
          case "KiB" -> 0x1p10;
          case "MiB" -> 0x1p20;
          case "GiB" -> 0x1p30;
          case null, default -> 1;
        };
    return new Budget(
        Kind.valueOf(parts.group(1).toUpperCase(Locale.ROOT)),
        Double.parseDouble(parts.group(2)) * factor);
  }
}
