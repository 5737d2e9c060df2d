package dev.filigree.compress.search;

import dev.filigree.InputException;
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

  private static final Pattern TEXT =
      Pattern.compile("(bytes|latency|fidelity)=(\\d{1,15}(?:\\.\\d{1,9})?)(B|kB|MB|GB)?");

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
          case "kB" -> 1e3;
          case "MB" -> 1e6;
          case "GB" -> 1e9;
          case null, default -> 1;
        };
    return new Budget(
        Kind.valueOf(parts.group(1).toUpperCase(Locale.ROOT)),
        Double.parseDouble(parts.group(2)) * factor);
  }
}
