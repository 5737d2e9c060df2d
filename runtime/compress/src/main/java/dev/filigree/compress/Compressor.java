package dev.filigree.compress;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.WeightMatrix;
import dev.filigree.WeightsException;
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
import dev.filigree.weights.Values;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Applies a recipe to the weights of a model. Three choices are kept apart and combine freely:
 * which score, which structure, which encoding.
 */
public final class Compressor {
  private final Model model;
  private final Recipe recipe;

  private Compressor(Model model, Recipe recipe) {
    this.model = model;
    this.recipe = recipe;
  }

  /**
   * Compresses a model; nothing is written.
   *
   * @param threads that work side by side, each on a layer
   * @param progress hears how many layers are done
   * @throws InputException if the recipe fits nothing or contradicts itself
   * @throws WeightsException if a layer has weights that cannot be compressed
   */
  public static Compression compress(Model model, Recipe recipe, int threads, Progress progress) {
    if (threads < 1) {
      throw new InputException("option threads is " + threads, "choose 1 or more");
    }
    return new Compressor(model, recipe).run(threads, progress);
  }

  /** What is to be done with one matrix. */
  private record Work(WeightMatrix matrix, Stage.Prune prune, Encoding encoding) {}

  private Compression run(int threads, Progress progress) {
    List<Work> work = plan();
    List<Compression.Layer> layers = new ArrayList<>();
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      List<Future<Compression.Layer>> results = new ArrayList<>();
      for (Work item : work) {
        results.add(pool.submit(() -> compress(item)));
      }
      try {
        for (Future<Compression.Layer> result : results) {
          layers.add(result.get());
          progress.at("compressing", layers.size(), work.size());
        }
      } catch (ExecutionException failed) {
        throw unwrapped(failed.getCause());
      } catch (InterruptedException interrupt) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("compression of " + model.path() + " was interrupted");
      } finally {
        // of what has not started nothing is needed any more
        pool.shutdownNow();
      }
    }
    return new Compression(model, recipe, layers);
  }

  private static RuntimeException unwrapped(Throwable cause) {
    return switch (cause) {
      case RuntimeException exception -> exception;
      case Error error -> throw error;
      default -> new IllegalStateException(cause);
    };
  }

  private List<Work> plan() {
    List<WeightMatrix> matrices = model.matrices();
    for (Stage stage : recipe.stages()) {
      if (matrices.stream().noneMatch(stage.targets()::include)) {
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
    return matrices.stream().map(this::plan).toList();
  }

  private Work plan(WeightMatrix matrix) {
    Stage.Prune prune = null;
    Encoding encoding = null;
    for (Stage stage : recipe.stages()) {
      if (!stage.targets().include(matrix)) {
        continue;
      }
      if (stage instanceof Stage.Prune chosen) {
        if (prune != null) {
          throw twice(matrix, "prunes");
        }
        if (encoding != null) {
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
        if (encoding != null) {
          throw twice(matrix, "encodes");
        }
        encoding =
            switch (stage) {
              case Stage.Quantize quantize -> new Encoding.Int8();
              case Stage.Share share -> new Encoding.Codes(share.bits(), share.perRow());
              case Stage.Convert convert -> new Encoding.Floats(convert.dtype());
              case Stage.Prune unreachable -> throw new IllegalStateException("a prune stage");
            };
      }
    }
    return new Work(matrix, prune, encoding);
  }

  private InputException twice(WeightMatrix matrix, String does) {
    return new InputException(
        "recipe '" + recipe.name() + "' " + does + " layer " + matrix.name() + " twice",
        "let the targets of these stages not overlap");
  }

  private static Compression.Layer compress(Work work) {
    WeightMatrix matrix = work.matrix;
    if (work.prune == null && work.encoding == null) {
      return new Compression.Layer(matrix, matrix.weights(), 0, false);
    }
    if (!(matrix.weights() instanceof Dense dense)) {
      throw new WeightsException(
          "layer " + matrix.name() + " is " + matrix.weights().format() + " already",
          "compress the original model");
    }
    float[] weights = dense.unpack();
    check(matrix, weights);
    Weights compressed = build(work, dense, weights);
    return new Compression.Layer(matrix, compressed, error(weights, compressed), true);
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

  private static Weights build(Work work, Dense dense, float[] weights) {
    int rows = dense.rows();
    int columns = dense.columns();
    Encoding encoding =
        work.encoding == null ? new Encoding.Floats(dense.tensor().dtype()) : work.encoding;
    if (work.prune == null) {
      return switch (encoding.encode(weights, rows, columns)) {
        case FloatValues values ->
            new Dense(Tensor.of(values.dtype(), Shape.of(rows, columns), values.data()));
        case IntegerValues values -> new Quantized(rows, columns, values);
        case PackedIntegers values -> new Packed(rows, columns, values);
        case CodeValues values -> new Codebook(rows, columns, values);
      };
    }
    float[] scores = new float[weights.length];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = Math.abs(weights[i]);
    }
    Mask mask = work.prune.structure().choose(scores, rows, columns);
    Weights source = Dense.of(rows, columns, weights);
    return switch (work.prune.structure()) {
      case Structure.TwoOfFour structure -> Sparse24.pack(source, mask, encoding::encode);
      case Structure.Unstructured structure ->
          SparseCsr.pack(source, mask, (kept, one, count) -> unstructured(work, encoding, kept));
    };
  }

  /**
   * Rows of an unstructured layer keep different numbers of values, so what belongs to a row
   * belongs to all.
   */
  private static Values unstructured(Work work, Encoding encoding, float[] kept) {
    if (encoding instanceof Encoding.Floats) {
      return encoding.encode(kept, 1, kept.length);
    }
    throw new InputException(
        "layer "
            + work.matrix.name()
            + " cannot be unstructured and "
            + encoding.getClass().getSimpleName().toLowerCase(Locale.ROOT)
            + " at the same time yet",
        "leave one of the two stages out, or prune to 2:4");
  }

  /**
   * Relative error of the weights: the Frobenius norm of the difference over that of the weights.
   */
  private static double error(float[] weights, Weights compressed) {
    float[] row = new float[compressed.columns()];
    double difference = 0;
    double norm = 0;
    for (int r = 0; r < compressed.rows(); r++) {
      compressed.unpackRow(r, row, 0);
      for (int c = 0; c < row.length; c++) {
        double w = weights[r * row.length + c];
        difference += (w - row[c]) * (w - row[c]);
        norm += w * w;
      }
    }
    return norm == 0 ? 0 : Math.sqrt(difference / norm);
  }
}
