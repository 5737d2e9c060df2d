package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.WeightMatrix;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.weights.ScaledRows;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What a recipe does to one matrix.
 *
 * @param matrix it is done to, as the file has it
 * @param factors that what follows a convolution, such as a batch normalisation, scales its outputs
 *     by, folded into its weights when it is planned; null if nothing does
 * @param prune how it is pruned, or null
 * @param encode how it is encoded, or null
 * @param refused why a stage that targets it passes it over, or null
 */
record Work(WeightMatrix matrix, float[] factors, Stage.Prune prune, Stage encode, String refused) {
  /** The same with another way to prune. */
  Work pruning(Stage.Prune other) {
    return new Work(matrix, factors, other, encode, refused);
  }

  /** The same without what follows pruning. */
  Work pruningOnly() {
    return new Work(matrix, factors, prune, null, refused);
  }

  /**
   * The work for every matrix of a model, in their order.
   *
   * @throws InputException if a stage applies to nothing or contradicts another
   */
  static List<Work> of(Model model, Recipe recipe) {
    Map<String, Node> windows = new HashMap<>();
    for (Node node : model.graph().nodes()) {
      if (node.isFused(Convolution.TYPE)) {
        windows.put(Convolution.source(node), node);
      }
    }
    List<WeightMatrix> matrices = new ArrayList<>(model.matrices());
    matrices.addAll(model.convolutions());
    for (Stage stage : recipe.stages()) {
      if (matrices.stream().noneMatch(stage.targets()::include) && !isSpare(stage, recipe)) {
        throw misfit("targets " + stage.targets(), recipe, model, matrices);
      }
      List<String> unknown = Targets.unknown(stage.targets().targets(), matrices);
      if (!unknown.isEmpty()) {
        throw misfit("targets " + unknown, recipe, model, matrices);
      }
      List<String> spared = Targets.unknown(stage.targets().ignore(), matrices);
      if (!spared.isEmpty()) {
        throw misfit("entries " + spared + " of 'ignore'", recipe, model, matrices);
      }
    }
    return matrices.stream()
        .map(
            matrix ->
                matrix.use() == WeightMatrix.Use.CONVOLUTION
                    ? of(matrix, recipe, model.graph(), windows.get(matrix.constant()))
                    : of(matrix, recipe, null, null))
        .toList();
  }

  private static InputException misfit(
      String entries, Recipe recipe, Model model, List<WeightMatrix> matrices) {
    return new InputException(
        "the " + entries + " of recipe '" + recipe.name() + "' fit no layer of " + model.path(),
        "the layers are "
            + matrices.stream()
                .map(matrix -> matrix.name() + " (" + Targets.kind(matrix) + ")")
                .toList());
  }

  /** How much the outputs of a convolution are scaled by what the graph folds into it. */
  private static float[] factors(WeightMatrix matrix, Graph graph, Node window) {
    Constant planned = graph.constants().get(window.inputs().get(Convolution.WEIGHTS));
    if (!(planned instanceof Constant.Compressed(Weights scaled, boolean transposed))) {
      return null;
    }
    Weights weights = matrix.weights();
    float[] factors = new float[weights.rows()];
    float[] stored = new float[weights.columns()];
    float[] acting = new float[weights.columns()];
    boolean one = true;
    for (int row = 0; row < factors.length; row++) {
      weights.unpackRow(row, stored, 0);
      scaled.unpackRow(row, acting, 0);
      double product = 0;
      double square = 0;
      for (int i = 0; i < stored.length; i++) {
        product += (double) stored[i] * acting[i];
        square += (double) stored[i] * stored[i];
      }
      factors[row] = Arrays.equals(stored, acting) || square == 0 ? 1 : (float) (product / square);
      one &= factors[row] == 1;
    }
    return one ? null : factors;
  }

  /**
   * Whether a stage may find nothing to do: one for all tables, in a recipe that does more than
   * that. Built-in recipes have it, and not every model has tables.
   */
  private static boolean isSpare(Stage stage, Recipe recipe) {
    return stage.targets().equals(Targets.EMBEDDING)
        && recipe.stages().stream().anyMatch(s -> !s.targets().equals(Targets.EMBEDDING));
  }

  /**
   * The work for a matrix.
   *
   * @param window the node of a convolution, null for others
   */
  private static Work of(WeightMatrix matrix, Recipe recipe, Graph graph, Node window) {
    Stage.Prune prune = null;
    Stage encode = null;
    String refused = null;
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
      String refusal = window == null ? null : refusal(matrix, stage, window);
      if (refusal != null) {
        // the other stages may still apply
        refused = refusal;
        continue;
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
    requireWritable(recipe, matrix, prune, encode);
    boolean changes = prune != null || encode != null;
    float[] factors = changes && window != null ? factors(matrix, graph, window) : null;
    return new Work(matrix, factors, prune, encode, refused);
  }

  /** Refuses what the coder of integers would refuse when all work was done. */
  private static void requireWritable(
      Recipe recipe, WeightMatrix matrix, Stage.Prune prune, Stage encode) {
    if (prune != null
        && encode instanceof Stage.Quantize quantize
        && !(prune.structure() instanceof Structure.Groups groups && groups.is24())) {
      Encoding.Integers integers = quantize.encoding();
      if (IntegerCoder.isPacked(integers)) {
        throw new InputException(
            "recipe '"
                + recipe.name()
                + "' prunes layer "
                + matrix.name()
                + " to "
                + prune.structure().label()
                + " and writes it as "
                + integers.label()
                + (integers.bits() == Byte.SIZE ? " in groups" : "")
                + ", which no layer can be at once",
            IntegerCoder.SPARSE_REMEDY);
      }
    }
  }

  /**
   * Why a stage leaves a convolution as it is, or null. Groups must lie within the channels of one
   * place of its window, or a kernel could not skip them; outputs of different groups see different
   * channels, so that no moments of inputs serve them all.
   */
  private static String refusal(WeightMatrix matrix, Stage stage, Node window) {
    if (stage.needsCalibration() && Convolution.groups(window) != 1) {
      return "its channels are in "
          + Convolution.groups(window)
          + " groups, which calibration cannot follow";
    }
    return stage instanceof Stage.Prune prune
            && prune.structure() instanceof Structure.Groups groups
            && matrix.channels() % groups.of() != 0
        ? (matrix.channels() == 1
                ? "one channel does not make a group"
                : matrix.channels() + " channels do not make groups")
            + " of "
            + groups.of()
        : null;
  }

  private static InputException twice(Recipe recipe, WeightMatrix matrix, String does) {
    return new InputException(
        "recipe '" + recipe.name() + "' " + does + " layer " + matrix.name() + " twice",
        "let the targets of these stages not overlap");
  }

  /**
   * The weights as they act, {@code [rows, columns]}: times what follows scales their outputs by.
   */
  float[] acting() {
    Weights weights = factors == null ? matrix.weights() : ScaledRows.of(matrix.weights(), factors);
    return weights.unpack();
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
