package dev.filigree.compress;

import dev.filigree.InputException;
import dev.filigree.WeightMatrix;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Which matrices a stage of a recipe applies to. An entry is {@code Linear}, {@code Convolution},
 * {@code Embedding}, the name of a layer or of its weights in the file, or {@code re:} and a
 * regular expression that a layer's whole name must match.
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

  private static final Map<String, WeightMatrix.Use> KINDS =
      Map.of(
          "Linear", WeightMatrix.Use.LINEAR,
          "Convolution", WeightMatrix.Use.CONVOLUTION,
          "Embedding", WeightMatrix.Use.TABLE);

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

  /**
   * The names of layers among entries that none has: kinds and expressions may fit nothing, a name
   * that does is misspelt or of another model.
   */
  static List<String> unknown(List<String> entries, List<WeightMatrix> matrices) {
    return entries.stream()
        .filter(entry -> !KINDS.containsKey(entry) && !entry.startsWith(EXPRESSION))
        .filter(entry -> matrices.stream().noneMatch(matrix -> isCalled(matrix, entry)))
        .toList();
  }

  /** For example {@code [Linear] without [head]}. */
  @Override
  public String toString() {
    return targets + (ignore.isEmpty() ? "" : " without " + ignore);
  }

  /** Whether a matrix is meant. */
  public boolean include(WeightMatrix matrix) {
    return targets.stream().anyMatch(entry -> fits(entry, matrix))
        && ignore.stream().noneMatch(entry -> fits(entry, matrix));
  }

  /** The entry that means all matrices used as this one. */
  static String kind(WeightMatrix matrix) {
    return KINDS.entrySet().stream()
        .filter(kind -> kind.getValue() == matrix.use())
        .findFirst()
        .orElseThrow()
        .getKey();
  }

  private static boolean fits(String entry, WeightMatrix matrix) {
    WeightMatrix.Use kind = KINDS.get(entry);
    if (kind != null) {
      return matrix.use() == kind;
    }
    return entry.startsWith(EXPRESSION)
        ? matrix.name().matches(entry.substring(EXPRESSION.length()))
        : isCalled(matrix, entry);
  }

  /**
   * Whether a matrix has a name: its layer's, or that of its weights in the file, with {@code
   * .weight} or without. Expressions see the layer's alone, or one that names layers not to match
   * would match the weights of them.
   */
  private static boolean isCalled(WeightMatrix matrix, String name) {
    return name.equals(matrix.name())
        || name.equals(matrix.constant())
        || name.equals(matrix.constant().replaceFirst("\\.weight$", ""));
  }
}
