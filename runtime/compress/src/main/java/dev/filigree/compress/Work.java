package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.WeightMatrix;
import java.util.ArrayList;
import java.util.List;

/**
 * What a recipe does to one matrix.
 *
 * @param matrix it is done to
 * @param prune how it is pruned, or null
 * @param encode how it is encoded, or null
 * @param refused why a stage that targets it leaves it as it is, or null
 */
record Work(WeightMatrix matrix, Stage.Prune prune, Stage encode, String refused) {
  Work(WeightMatrix matrix, Stage.Prune prune, Stage encode) {
    this(matrix, prune, encode, null);
  }

  /**
   * The work for every matrix of a model, in their order.
   *
   * @throws InputException if a stage applies to nothing or contradicts another
   */
  static List<Work> of(Model model, Recipe recipe) {
    boolean folded =
        recipe.stages().stream()
            .noneMatch(stage -> stage instanceof Stage.Prune prune && !prune.folded());
    List<WeightMatrix> matrices = new ArrayList<>(model.matrices());
    matrices.addAll(model.convolutions(folded));
    for (Stage stage : recipe.stages()) {
      if (matrices.stream().noneMatch(stage.targets()::include) && !isSpare(stage, recipe)) {
        throw new InputException(
            "the targets "
                + stage.targets().targets()
                + " of recipe '"
                + recipe.name()
                + "' fit no layer of "
                + model.path(),
            "the layers are " + matrices.stream().map(WeightMatrix::name).toList());
      }
    }
    return matrices.stream().map(matrix -> of(matrix, recipe)).toList();
  }

  /**
   * Whether a stage may find nothing to do: one for all tables, in a recipe that does more than
   * that. Built-in recipes have it, and not every model has tables.
   */
  private static boolean isSpare(Stage stage, Recipe recipe) {
    return stage.targets().equals(Targets.EMBEDDING)
        && recipe.stages().stream().anyMatch(s -> !s.targets().equals(Targets.EMBEDDING));
  }

  private static Work of(WeightMatrix matrix, Recipe recipe) {
    Stage.Prune prune = null;
    Stage encode = null;
    for (Stage stage : recipe.stages()) {
      if (stage instanceof Stage.Distill || !stage.targets().include(matrix)) {
        continue;
      }
      if (stage.needsCalibration() && matrix.use() == WeightMatrix.Use.TABLE) {
        throw new InputException(
            "recipe '"
                + recipe.name()
                + "' calibrates "
                + matrix.name()
                + ", a table whose rows are looked up and not multiplied with inputs",
            "let the stage ignore it, or give tables a stage of their own without calibration");
      }
      if (matrix.use() == WeightMatrix.Use.CONVOLUTION) {
        String refused = refusal(recipe, matrix, stage);
        if (refused != null) {
          return new Work(matrix, null, null, refused);
        }
      }
      if (stage instanceof Stage.Prune chosen) {
        if (prune != null) {
          throw twice(recipe, matrix, "prunes");
        }
        if (encode != null) {
          throw new InputException(
              "recipe '"
                  + recipe.name()
                  + "' prunes layer "
                  + matrix.name()
                  + " after its values were encoded",
              "put the stage prune first");
        }
        prune = chosen;
      } else {
        if (encode != null) {
          throw twice(recipe, matrix, "encodes");
        }
        encode = stage;
      }
    }
    return new Work(matrix, prune, encode);
  }

  /**
   * Why a stage leaves a convolution as it is, or null: groups must lie within the channels of one
   * place of its window, or a kernel could not skip them.
   */
  private static String refusal(Recipe recipe, WeightMatrix matrix, Stage stage) {
    if (stage.needsCalibration() || !(stage instanceof Stage.Prune prune)) {
      throw new InputException(
          "recipe '"
              + recipe.name()
              + "' does more to "
              + matrix.name()
              + ", a convolution, than prune it by magnitude",
          "let the stage target Linear, and give Convolution a stage that prunes by magnitude");
    }
    return prune.structure() instanceof Structure.Groups groups
            && matrix.channels() % groups.of() != 0
        ? matrix.channels() + " channels do not make groups of " + groups.of()
        : null;
  }

  private static InputException twice(Recipe recipe, WeightMatrix matrix, String does) {
    return new InputException(
        "recipe '" + recipe.name() + "' " + does + " layer " + matrix.name() + " twice",
        "let the targets of these stages not overlap");
  }

  /** Whether the matrix changes at all. */
  boolean changes() {
    return prune != null || encode != null;
  }

  /** Whether the inputs of the layer must be seen. */
  boolean needsCalibration() {
    return prune != null && prune.needsCalibration() || encode != null && encode.needsCalibration();
  }

  /** Whether all products of the inputs are needed, not only their squares. */
  boolean needsProducts() {
    return needsTargets()
        || prune != null && prune.score() == Stage.Score.SPARSEGPT
        || rounding() == Stage.Rounding.GPTQ;
  }

  /** Whether weights are fitted to the outputs they should make. */
  boolean needsTargets() {
    return prune != null && prune.refit() || encode instanceof Stage.Quantize q && q.refit();
  }

  /** How values are rounded. */
  Stage.Rounding rounding() {
    return switch (encode) {
      case Stage.Quantize quantize -> quantize.rounding();
      case Stage.Share share -> share.rounding();
      case null, default -> Stage.Rounding.NEAREST;
    };
  }

  /** Damping of the second moments when rounding. */
  double roundingDamping() {
    return encode instanceof Stage.Quantize quantize ? quantize.damping() : Stage.DAMPING;
  }

  /** Whether rounding visits the columns of large inputs first. */
  boolean roundsByImportance() {
    return encode instanceof Stage.Quantize quantize && quantize.byImportance();
  }

  /** Whether biases take over the mean of what is lost. */
  boolean correctsBias() {
    return needsTargets() || prune != null && prune.biasCorrection();
  }

  /** How values are written. */
  Encoding encoding(DType original) {
    return switch (encode) {
      case null -> new Encoding.Floats(original);
      case Stage.Quantize quantize -> quantize.encoding();
      case Stage.Share share -> share.encoding();
      case Stage.Convert convert -> new Encoding.Floats(convert.dtype());
      case Stage.Prune never -> throw new IllegalStateException("pruning is no encoding");
      case Stage.Distill never -> throw new IllegalStateException("training is no encoding");
    };
  }
}
