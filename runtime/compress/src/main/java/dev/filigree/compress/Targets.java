package dev.filigree.compress;

import dev.filigree.InputException;
import dev.filigree.WeightMatrix;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Which matrices a stage of a recipe applies to. An entry is {@code Linear}, {@code Embedding}, the
 * name of a layer, or {@code re:} and a regular expression that a layer's whole name must match.
 *
 * @param targets entries of which one must fit
 * @param ignore entries of which none may fit
 */
public record Targets(List<String> targets, List<String> ignore) {
  /** All linear layers and convolutions. */
  public static final Targets LAYERS = new Targets(List.of("Linear", "Convolution"), List.of());

  /** All linear layers. */
  public static final Targets LINEAR = new Targets(List.of("Linear"), List.of());

  /** All tables that rows are looked up in. */
  public static final Targets EMBEDDING = new Targets(List.of("Embedding"), List.of());

  public Targets {
    targets = targets == null ? LINEAR_ONLY : List.copyOf(targets);
    ignore = ignore == null ? List.of() : List.copyOf(ignore);
    targets.forEach(Targets::check);
    ignore.forEach(Targets::check);
  }

  private static final List<String> LINEAR_ONLY = List.of("Linear");

  private static final String EXPRESSION = "re:";

  private static void check(String entry) {
    if (entry.startsWith(EXPRESSION)) {
      try {
        Pattern.compile(entry.substring(EXPRESSION.length()));
      } catch (PatternSyntaxException malformed) {
        throw new InputException(
            "target '" + entry + "' is no regular expression: " + malformed.getDescription(),
            "correct it in the recipe",
            malformed);
      }
    }
  }

  /** Whether a matrix is meant. */
  public boolean include(WeightMatrix matrix) {
    return targets.stream().anyMatch(entry -> fits(entry, matrix))
        && ignore.stream().noneMatch(entry -> fits(entry, matrix));
  }

  private static boolean fits(String entry, WeightMatrix matrix) {
    return switch (entry) {
      case "Linear" -> matrix.use() == WeightMatrix.Use.LINEAR;
      case "Convolution" -> matrix.use() == WeightMatrix.Use.CONVOLUTION;
      case "Embedding" -> matrix.use() == WeightMatrix.Use.TABLE;
      default ->
          entry.startsWith(EXPRESSION)
              ? matrix.name().matches(entry.substring(EXPRESSION.length()))
              : matrix.name().equals(entry);
    };
  }
}
