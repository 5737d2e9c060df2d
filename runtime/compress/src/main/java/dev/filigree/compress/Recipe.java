package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.WeightMatrix;
import dev.filigree.compress.train.Distillation;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What is done to a model's weights, step by step. Immutable.
 *
 * @param name for reports
 * @param stages in the order they are applied
 */
public record Recipe(String name, List<Stage> stages) {
  private static final Pattern UNSTRUCTURED = Pattern.compile("unstructured-(\\d{2})");

  /** Inputs that share a scale of 4-bit integers: a common choice, which divides most widths. */
  private static final int INT4_GROUP = 64;

  /** Recipes without a parameter in their name. */
  private static final Map<String, List<Stage>> BUILT_IN = builtIn();

  public Recipe {
    stages = List.copyOf(stages);
    boolean pruned = false;
    boolean distilled = false;
    boolean encoded = false;
    for (Stage stage : stages) {
      if (stage instanceof Stage.Distill) {
        if (!pruned || distilled || encoded) {
          throw new InputException(
              "recipe '" + name + "' distils " + (distilled ? "twice" : "at the wrong place"),
              "put one stage distill after the stages that prune and before those that encode");
        }
        distilled = true;
      } else if (stage instanceof Stage.Prune) {
        pruned = true;
      } else {
        encoded = true;
      }
    }
  }

  private static Map<String, List<Stage>> builtIn() {
    Stage sparse = new Stage.Prune(Stage.Score.MAGNITUDE, Structure.TWO_OF_FOUR, Targets.LAYERS);
    Stage fitted =
        new Stage.Prune(
            Stage.Score.SPARSEGPT,
            Structure.TWO_OF_FOUR,
            true,
            true,
            Stage.DAMPING,
            Targets.LAYERS);
    Encoding.Integers groups =
        new Encoding.Integers(4, Encoding.Granularity.GROUP, INT4_GROUP, true);
    Stage int8 = new Stage.Quantize(8, Targets.LAYERS);
    Stage int8Tables = new Stage.Quantize(8, Targets.EMBEDDING);
    Stage codebook = new Stage.Share(4, true, Targets.LAYERS);
    Stage half = new Stage.Convert(DType.F16, Targets.LAYERS);
    Stage halfTables = new Stage.Convert(DType.F16, Targets.EMBEDDING);
    Map<String, List<Stage>> recipes = new LinkedHashMap<>();
    recipes.put("dense", List.of());
    recipes.put("fp16", List.of(half, halfTables));
    recipes.put("int8", List.of(int8, int8Tables));
    recipes.put(
        "int4",
        List.of(
            new Stage.Quantize(
                groups, Stage.Rounding.NEAREST, false, false, Stage.DAMPING, Targets.LAYERS),
            int8Tables));
    recipes.put(
        "int4-gptq",
        List.of(
            new Stage.Quantize(
                groups, Stage.Rounding.GPTQ, true, true, Stage.DAMPING, Targets.LAYERS),
            int8Tables));
    recipes.put("2:4", List.of(sparse));
    recipes.put(
        "2:4-permuted",
        List.of(
            new Stage.Prune(
                Stage.Score.MAGNITUDE,
                Structure.TWO_OF_FOUR,
                false,
                false,
                Stage.DAMPING,
                true,
                true,
                Targets.LAYERS)));
    for (int shared : new int[] {4, 8}) {
      Structure structure = new Structure.Groups(2, 4, shared);
      recipes.put(
          "2:4-shared-" + shared,
          List.of(new Stage.Prune(Stage.Score.MAGNITUDE, structure, Targets.LAYERS)));
      recipes.put(
          "2:4-shared-" + shared + "-sparsegpt",
          List.of(
              new Stage.Prune(
                  Stage.Score.SPARSEGPT, structure, true, true, Stage.DAMPING, Targets.LAYERS)));
    }
    recipes.put("2:4-sparsegpt", List.of(fitted));
    recipes.put("2:4-sparsegpt-int8", List.of(fitted, int8, int8Tables));
    Stage distilled = new Stage.Distill(Distillation.Options.DEFAULTS, Stage.Distill.FIT_SAMPLES);
    recipes.put("2:4-distilled", List.of(fitted, distilled));
    recipes.put("2:4-distilled-int8", List.of(fitted, distilled, int8, int8Tables));
    recipes.put("2:4-fp16", List.of(sparse, half, halfTables));
    recipes.put("2:4-int8", List.of(sparse, int8, int8Tables));
    recipes.put("codebook-4bit", List.of(codebook, int8Tables));
    recipes.put(
        "codebook-4bit-weighted",
        List.of(
            new Stage.Share(
                new Encoding.Codes(4, true), true, Stage.Rounding.NEAREST, Targets.LAYERS),
            int8Tables));
    recipes.put("2:4-codebook-4bit", List.of(sparse, codebook, int8Tables));
    return recipes;
  }

  /** Names of the built-in recipes; {@code unstructured-NN} stands for any whole percentage. */
  public static List<String> names() {
    List<String> names = new ArrayList<>(BUILT_IN.keySet());
    names.add("unstructured-NN");
    return names;
  }

  /**
   * A built-in recipe.
   *
   * @throws InputException if there is none of that name
   */
  public static Recipe named(String name) {
    List<Stage> stages = BUILT_IN.get(name);
    if (stages != null) {
      return new Recipe(name, stages);
    }
    Matcher unstructured = UNSTRUCTURED.matcher(name);
    if (unstructured.matches()) {
      Structure structure =
          new Structure.Unstructured(Integer.parseInt(unstructured.group(1)) / 100.0);
      return new Recipe(
          name, List.of(new Stage.Prune(Stage.Score.MAGNITUDE, structure, Targets.LAYERS)));
    }
    throw new InputException(
        "there is no recipe '" + name + "'",
        "use one of " + String.join(", ", names()) + ", or a recipe file");
  }

  /** Whether it can only be applied with calibration samples. */
  public boolean needsCalibration() {
    return stages.stream().anyMatch(Stage::needsCalibration);
  }

  /** Whether it puts inputs in another order. */
  public boolean reorders() {
    return stages.stream().anyMatch(stage -> stage instanceof Stage.Prune p && p.permute());
  }

  /** Whether it teaches the pruned network what the dense one makes. */
  public boolean distils() {
    return distillation() != null;
  }

  /** What this recipe does to some matrices, and nothing to the others. */
  public Recipe only(List<WeightMatrix> matrices) {
    List<Stage> own = new ArrayList<>();
    for (Stage stage : stages) {
      List<String> names =
          matrices.stream().filter(stage.targets()::include).map(WeightMatrix::name).toList();
      if (!names.isEmpty()) {
        own.add(stage.on(new Targets(names, List.of())));
      }
    }
    return new Recipe(name, own);
  }

  /** The stages of several recipes, one after the other. */
  public static Recipe joined(String name, List<Recipe> parts) {
    return new Recipe(name, parts.stream().flatMap(part -> part.stages.stream()).toList());
  }

  /** The stage that distils, or null. */
  Stage.Distill distillation() {
    return stages.stream()
        .filter(Stage.Distill.class::isInstance)
        .map(Stage.Distill.class::cast)
        .findFirst()
        .orElse(null);
  }

  /** Whether the recipe leaves every weight as it is. */
  public boolean isEmpty() {
    return stages.isEmpty();
  }
}
