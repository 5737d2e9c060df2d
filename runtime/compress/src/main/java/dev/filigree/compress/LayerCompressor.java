package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.WeightMatrix;
import dev.filigree.WeightsException;
import dev.filigree.compress.layer.Grid;
import dev.filigree.compress.layer.Refit;
import dev.filigree.compress.layer.Surgeon;
import dev.filigree.plan.WorkerPool;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.util.Arrays;

/**
 * Compresses one layer: chooses what goes, lets the rest make up for it, encodes. Three choices are
 * kept apart and combine freely: which score, which structure, which encoding.
 */
final class LayerCompressor {
  private final Work work;
  private final LayerData data;
  private final WorkerPool pool;
  private final Dense dense;
  private final int rows;
  private final int columns;
  private final float[] original;
  private final double[][] w;
  private Mask mask;
  private double[] bias;
  private double damping;
  private double clusterCost = Double.NaN;

  /**
   * The compression of a layer.
   *
   * @param data of the layer, null if it needs none
   */
  LayerCompressor(Work work, LayerData data, WorkerPool pool) {
    this.work = work;
    this.data = data;
    this.pool = pool;
    WeightMatrix matrix = work.matrix();
    if (!(matrix.weights() instanceof Dense found)) {
      throw new WeightsException(
          "layer " + matrix.name() + " is " + matrix.weights().format() + " already",
          "compress the original model");
    }
    dense = found;
    rows = found.rows();
    columns = found.columns();
    check(matrix, found.unpack());
    original = work.acting();
    w = new double[rows][columns];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        w[r][c] = original[r * columns + c];
      }
    }
    if (data != null && data.bias() != null) {
      bias = new double[rows];
      Arrays.setAll(bias, r -> data.bias()[r]);
    }
  }

  private static void check(WeightMatrix matrix, float[] weights) {
    int bad = 0;
    int first = -1;
    for (int i = 0; i < weights.length; i++) {
      if (!Float.isFinite(weights[i])) {
        bad++;
        first = first < 0 ? i : first;
      }
    }
    if (bad > 0) {
      int columns = matrix.weights().columns();
      throw new WeightsException(
          "layer "
              + matrix.name()
              + " has "
              + bad
              + " weights that are not finite, the first is "
              + weights[first]
              + " in row "
              + first / columns
              + ", column "
              + first % columns,
          "export the model again from a checkpoint without them");
    }
  }

  Compression.Layer compress() {
    if (!work.needsTargets()) {
      return compress(null);
    }
    try (Refit refit = new Refit(data.moments(), bias != null, pool)) {
      return compress(refit);
    }
  }

  /** Prunes and encodes, and fits what stays where there is a fit. */
  private Compression.Layer compress(Refit refit) {
    Stage.Prune prune = work.prune();
    boolean fits = refit != null;
    if (fits && prune != null && prune.score() == Stage.Score.SPARSEGPT) {
      // which weights matter is asked of those that make up for the layers before
      refit.fit(w, null, data.outputs());
    }
    if (prune != null) {
      prune(prune);
    }
    if (fits) {
      double[] fitted = refit.fit(w, mask, data.outputs());
      bias = fitted == null ? bias : fitted;
    }
    double[][] before = fits ? copy(w) : null;
    unfold();
    Weights compressed = encode();
    if (work.correctsBias() && bias != null) {
      correctBias(before, compressed);
    }
    return layer(compressed);
  }

  private Compression.Layer layer(Weights compressed) {
    return new Compression.Layer(
        work.matrix(),
        compressed,
        weightError(compressed),
        true,
        calibrated(compressed),
        clusterCost,
        null,
        work.refused());
  }

  /**
   * Encodes values that were made elsewhere.
   *
   * @param values {@code [rows, columns]}
   * @param kept mask of those that are not pruned, or null
   */
  Compression.Layer encode(float[] values, Mask kept) {
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        w[r][c] = values[r * columns + c];
      }
    }
    mask = kept;
    unfold();
    Weights compressed = encode();
    return layer(compressed);
  }

  private static double[][] copy(double[][] matrix) {
    double[][] copy = new double[matrix.length][];
    Arrays.setAll(copy, i -> matrix[i].clone());
    return copy;
  }

  private void prune(Stage.Prune prune) {
    if (prune.structure() instanceof Structure.Groups groups && columns < groups.of()) {
      throw new InputException(
          "layer "
              + work.matrix().name()
              + " has "
              + columns
              + " inputs, fewer than the "
              + groups.of()
              + " of a "
              + groups.label()
              + " group",
          "let the stage ignore it");
    }
    if (prune.score() == Stage.Score.SPARSEGPT) {
      Surgeon surgeon = data.surgeon(prune.damping(), false, centred(), pool);
      damping = surgeon.damping();
      mask = surgeon.operate(w, choice(prune.structure()), Grid.CONTINUOUS);
      return;
    }
    float[] scored = prune.folded() ? original : dense.unpack();
    float[] scores = new float[original.length];
    for (int i = 0; i < scores.length; i++) {
      double norm =
          prune.score() == Stage.Score.WANDA
              ? Math.sqrt(data.moments().meanSquare(i % columns))
              : 1;
      scores[i] = (float) (Math.abs(scored[i]) * norm);
    }
    mask = prune.structure().choose(scores, rows, columns);
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        if (!mask.kept(r, c)) {
          w[r][c] = 0;
        }
      }
    }
  }

  /** Whether the bias takes over the mean of what is lost. */
  private boolean centred() {
    return bias != null && work.correctsBias();
  }

  private static Surgeon.Choice choice(Structure structure) {
    return switch (structure) {
      case Structure.Groups(int keep, int of, int shared) ->
          new Surgeon.Choice.Groups(keep, of, shared);
      case Structure.Unstructured(double sparsity, Structure.Scope scope) ->
          new Surgeon.Choice.Fraction(sparsity, scope == Structure.Scope.ROW);
      case Structure.Block block -> throw new IllegalStateException("refused by the stage");
    };
  }

  /** Takes out again what follows the layer, which the file keeps apart. */
  private void unfold() {
    if (work.factors() == null) {
      return;
    }
    float[] stored = dense.unpack();
    for (int r = 0; r < rows; r++) {
      double factor = work.factors()[r];
      for (int c = 0; c < columns; c++) {
        int at = r * columns + c;
        boolean kept = mask == null || mask.kept(r, c);
        boolean same = kept && (float) w[r][c] == original[at];
        // what stays is the file's to the last bit; behind a factor of 0 it does not matter
        w[r][c] = same || kept && factor == 0 ? stored[at] : w[r][c] / factor;
        w[r][c] = kept ? w[r][c] : 0;
      }
    }
  }

  /** A row of the compressed weights as it acts. */
  private void unpackRow(Weights compressed, int r, float[] row) {
    compressed.unpackRow(r, row, 0);
    for (int c = 0; work.factors() != null && c < columns; c++) {
      row[c] *= work.factors()[r];
    }
  }

  private boolean is24() {
    return work.prune() != null
        && work.prune().structure() instanceof Structure.Groups groups
        && groups.is24();
  }

  /** What an encoding cannot hold is refused with the layer's name. */
  private Weights encode() {
    try {
      return encoded();
    } catch (InputException impossible) {
      throw new InputException(
          "layer " + work.matrix().name() + ": " + impossible.problem(), impossible.remedy());
    }
  }

  private Weights encoded() {
    Encoding encoding = work.encoding(dense.tensor().dtype());
    float[] values = floats();
    if (is24()) {
      Sparse24 kept = Sparse24.pack(Dense.of(rows, columns, values), mask, this::plain);
      int perRow = kept.groups() * Sparse24.KEPT;
      float[] ofKept = ((FloatValues) kept.values()).data().toArray(DType.FLOAT);
      Coder coder =
          fit(encoding, ofKept, perRow, kept.groups() * Sparse24.GROUP, sensitivity(kept.mask()));
      return Sparse24.pack(rounded(coder), mask, coder::encode);
    }
    Coder coder = fit(encoding, values, columns, columns, sensitivity(null));
    Dense rounded = rounded(coder);
    if (mask != null) {
      return SparseCsr.pack(rounded, mask, (kept, one, count) -> coder.encode(kept, mask));
    }
    return switch (coder.encode(rounded.unpack(), rows, columns)) {
      case FloatValues floats ->
          new Dense(Tensor.of(floats.dtype(), Shape.of(rows, columns), floats.data()));
      case IntegerValues integers -> new Quantized(rows, columns, integers);
      case PackedIntegers integers -> new Packed(rows, columns, integers);
      case CodeValues codes -> new Codebook(rows, columns, codes);
    };
  }

  private FloatValues plain(float[] values, int ofRows, int perRow) {
    return FloatValues.of(DType.F32, values);
  }

  private Coder fit(
      Encoding encoding, float[] values, int perRow, int ofColumns, float[] sensitivity) {
    Coder coder = encoding.fit(values, rows, perRow, ofColumns, sensitivity);
    if (coder instanceof CodebookCoder codebook) {
      clusterCost = codebook.overOptimum();
    }
    return coder;
  }

  /** The weights as they go into the encoder: rounded column by column if the recipe says so. */
  private Dense rounded(Coder coder) {
    if (work.rounding() == Stage.Rounding.GPTQ) {
      Surgeon surgeon =
          data.surgeon(work.roundingDamping(), work.roundsByImportance(), centred(), pool);
      damping = Math.max(damping, surgeon.damping());
      surgeon.operate(
          w, mask == null ? new Surgeon.Choice.None() : new Surgeon.Choice.Given(mask), coder);
    }
    return Dense.of(rows, columns, floats());
  }

  private float[] floats() {
    float[] values = new float[rows * columns];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        values[r * columns + c] = (float) w[r][c];
      }
    }
    return values;
  }

  /**
   * How much each stored value matters, where the encoding asks for it.
   *
   * @param kept mask of the stored values, null if all are
   */
  private float[] sensitivity(Mask kept) {
    boolean wanted =
        work.encode() instanceof Stage.Share share && share.weighted()
            || data != null && work.rounding() == Stage.Rounding.GPTQ;
    if (!wanted) {
      return null;
    }
    int stored = kept == null ? rows * columns : Math.toIntExact(kept.kept());
    float[] sensitivity = new float[stored];
    int at = 0;
    int width = kept == null ? columns : kept.columns();
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < width; c++) {
        if (kept == null || kept.kept(r, c)) {
          sensitivity[at++] = c < columns ? (float) data.moments().meanSquare(c) : 0;
        }
      }
    }
    return sensitivity;
  }

  /**
   * Moves each bias by the mean of what its row lost. After a fit only what encoding took is left
   * to correct.
   */
  private void correctBias(double[][] before, Weights compressed) {
    float[] row = new float[columns];
    for (int r = 0; r < rows; r++) {
      unpackRow(compressed, r, row);
      for (int c = 0; c < columns; c++) {
        double was = before == null ? original[r * columns + c] : before[r][c];
        bias[r] += (was - row[c]) * data.moments().mean(c);
      }
    }
  }

  /** Frobenius norm of the change over that of the weights. */
  private double weightError(Weights compressed) {
    float[] row = new float[columns];
    double difference = 0;
    double norm = 0;
    for (int r = 0; r < rows; r++) {
      unpackRow(compressed, r, row);
      for (int c = 0; c < columns; c++) {
        double was = original[r * columns + c];
        difference += (was - row[c]) * (was - row[c]);
        norm += was * was;
      }
    }
    return norm == 0 ? 0 : Math.sqrt(difference / norm);
  }

  private Compression.Calibrated calibrated(Weights compressed) {
    if (data == null) {
      return null;
    }
    double error = Double.NaN;
    if (data.moments().isFull()) {
      double[][] was = new double[rows][columns];
      double[][] lost = new double[rows][columns];
      float[] row = new float[columns];
      for (int r = 0; r < rows; r++) {
        unpackRow(compressed, r, row);
        for (int c = 0; c < columns; c++) {
          was[r][c] = original[r * columns + c];
          lost[r][c] = was[r][c] - row[c];
        }
      }
      double energy = data.moments().outputEnergy(was);
      error = energy == 0 ? 0 : Math.sqrt(data.moments().outputEnergy(lost) / energy);
    }
    float[] corrected = null;
    if (work.correctsBias() && bias != null) {
      corrected = new float[rows];
      for (int r = 0; r < rows; r++) {
        corrected[r] = (float) bias[r];
      }
    }
    return new Compression.Calibrated(
        error, damping, data.moments().tokens(), data.moments().deadInputs(), corrected);
  }
}
