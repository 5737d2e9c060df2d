package dev.filigree.compress;

import dev.filigree.Model;
import dev.filigree.WeightMatrix;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Dense;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Sparse24;
import java.util.List;
import java.util.Locale;

/**
 * What a recipe will do, known before any of it is done.
 *
 * @param matrices in the model's order
 */
public record Prediction(List<Matrix> matrices) {
  /**
   * What becomes of a matrix.
   *
   * @param matrix as the model has it
   * @param steps what is done to it, in words; empty if nothing is
   * @param bytes it will take; a global threshold is taken for one of each layer, automatic bits
   *     for those of the weights before anything is pruned
   */
  public record Matrix(WeightMatrix matrix, String steps, long bytes) {}

  /**
   * The plan of a recipe for a model.
   *
   * @throws dev.filigree.InputException if the recipe fits nothing or contradicts itself
   */
  public static Prediction of(Model model, Recipe recipe) {
    boolean distils = recipe.distils();
    return new Prediction(Work.of(model, recipe).stream().map(work -> of(work, distils)).toList());
  }

  /** Bytes of all matrices. */
  public long bytes() {
    return matrices.stream().mapToLong(Matrix::bytes).sum();
  }

  private static Matrix of(Work work, boolean distils) {
    Matrix planned = of(work);
    boolean learns = distils && work.matrix().use() == WeightMatrix.Use.LINEAR;
    String steps = planned.steps.isEmpty() ? "distilled" : planned.steps + ", distilled";
    return learns ? new Matrix(planned.matrix, steps, planned.bytes) : planned;
  }

  private static Matrix of(Work work) {
    WeightMatrix matrix = work.matrix();
    if (!work.changes() || !(matrix.weights() instanceof Dense dense)) {
      return new Matrix(matrix, "", matrix.weights().bytes());
    }
    long rows = matrix.weights().rows();
    long columns = matrix.weights().columns();
    Encoding encoding = work.encoding(dense.tensor().dtype());
    if (encoding instanceof Encoding.Codes codes && codes.bits() == Encoding.Codes.AUTO) {
      // what the weights ask for as they are; fitted or pruned ones may ask for other bits
      float[] values = dense.unpack();
      Coder coder = codes.fit(values, (int) rows, (int) columns, (int) columns, null);
      encoding = codes.withBits(((CodebookCoder) coder).bits());
    }
    if (work.prune() == null) {
      return new Matrix(
          matrix, steps(work), values(encoding, rows, columns, columns, rows * columns));
    }
    Structure structure = work.prune().structure();
    long mask = rows * Math.ceilDiv(columns, 8);
    if (structure instanceof Structure.Groups of && of.is24()) {
      long groups = Sparse24.groups((int) columns);
      long kept = groups * Sparse24.KEPT;
      long bits = rows * Math.ceilDiv(groups * Sparse24.GROUP, 8);
      return new Matrix(
          matrix,
          steps(work),
          bits + values(encoding, rows, kept, groups * Sparse24.GROUP, rows * kept));
    }
    long kept =
        switch (structure) {
          case Structure.Groups(int keep, int of, int shared) ->
              rows * (columns / of * keep + Math.min(columns % of, keep));
          case Structure.Unstructured(double sparsity, Structure.Scope scope) ->
              scope == Structure.Scope.ROW
                  ? rows * (columns - Math.round(columns * sparsity))
                  : rows * columns - Math.round(rows * columns * sparsity);
          case Structure.Block block -> Math.round(rows * columns * (1 - block.sparsity()));
        };
    long offsets = rows * Long.BYTES;
    return new Matrix(
        matrix, steps(work), mask + offsets + values(encoding, rows, columns, columns, kept));
  }

  /** Bytes of stored values with their scales or codebooks. */
  private static long values(Encoding encoding, long rows, long perRow, long columns, long stored) {
    return switch (encoding) {
      case Encoding.Floats floats -> stored * floats.dtype().bytes();
      case Encoding.Codes codes -> {
        int together = codes.rowsPerBook();
        long books = together == CodeValues.ALL ? 1 : Math.ceilDiv(rows, (long) together);
        long centroids = books << codes.bits();
        yield Math.ceilDiv(stored * codes.bits(), 8L) + centroids * Float.BYTES;
      }
      case Encoding.Integers integers -> integers(integers, rows, perRow, columns, stored);
    };
  }

  private static long integers(
      Encoding.Integers integers, long rows, long perRow, long columns, long stored) {
    boolean isGrouped = integers.granularity() == Encoding.Granularity.GROUP;
    boolean isTensor = integers.granularity() == Encoding.Granularity.TENSOR;
    if (integers.bits() == Byte.SIZE && !isGrouped) {
      return stored + (isTensor ? 1 : rows) * Float.BYTES;
    }
    long group = isGrouped ? Math.min(perRow, integers.group() * perRow / columns) : perRow;
    long scales = isTensor ? 1 : rows * Math.ceilDiv(perRow, group);
    long words = rows * PackedIntegers.wordsPerRow((int) perRow, integers.bits());
    return words * Integer.BYTES + scales * Short.BYTES;
  }

  /** How values are written, in words. */
  private static String written(Encoding encoding) {
    return switch (encoding) {
      case Encoding.Floats floats -> floats.label();
      case Encoding.Integers integers ->
          integers.label()
              + switch (integers.granularity()) {
                case TENSOR -> ", one scale";
                case ROW -> " by row";
                case GROUP -> " by " + integers.group();
              };
      case Encoding.Codes codes ->
          (codes.bits() == Encoding.Codes.AUTO ? "" : codes.bits() + "-bit ")
              + codes.label()
              + switch (codes.granularity()) {
                case TENSOR -> "";
                case ROW -> " by row";
                case GROUP -> " by " + codes.group() + " rows";
              };
    };
  }

  private static String steps(Work work) {
    StringBuilder steps = new StringBuilder();
    if (work.prune() != null) {
      Stage.Prune prune = work.prune();
      steps.append(prune.score().name().toLowerCase(Locale.ROOT));
      steps.append(' ').append(prune.structure().label());
      switch (prune.structure()) {
        case Structure.Unstructured(double sparsity, Structure.Scope scope) ->
            steps
                .append(' ')
                .append(Math.round(100 * sparsity))
                .append(" %")
                .append(scope == Structure.Scope.GLOBAL ? " of all layers together" : "");
        case Structure.Block block ->
            steps.append(' ').append(Math.round(100 * block.sparsity())).append(" %");
        case Structure.Groups groups -> {
          // their label says how many stay
        }
      }
    }
    if (work.needsTargets()) {
      steps.append(steps.isEmpty() ? "" : ", ").append("refit");
    }
    if (work.encode() != null) {
      steps.append(steps.isEmpty() ? "" : ", ").append(written(work.encoding(null)));
      if (work.rounding() == Stage.Rounding.GPTQ) {
        steps.append(" by gptq");
      }
    }
    return steps.toString();
  }
}
