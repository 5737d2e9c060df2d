package dev.filigree.compress;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.WeightsException;
import dev.filigree.plan.WorkerPool;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;

/**
 * Applies a recipe to the weights of a model. Without calibration every layer is compressed for
 * itself; with it, in the order data flows.
 */
public final class Compressor {
  private Compressor() {}

  /**
   * Compresses a model by a recipe that needs no calibration; nothing is written.
   *
   * @param threads that work side by side, each on a layer
   * @param progress hears how many layers are done
   * @throws InputException if the recipe fits nothing, contradicts itself or needs calibration
   * @throws WeightsException if a layer has weights that cannot be compressed
   */
  public static Compression compress(Model model, Recipe recipe, int threads, Progress progress) {
    return compress(model, recipe, null, threads, progress);
  }

  /**
   * Compresses a model; nothing is written.
   *
   * @param calibration samples for a recipe that needs them; null if there are none
   * @param threads that work side by side
   * @param progress hears how many layers are done
   * @throws InputException if the recipe fits nothing or contradicts itself, or samples are missing
   *     or not those of the model
   * @throws WeightsException if a layer has weights that cannot be compressed
   */
  public static Compression compress(
      Model model, Recipe recipe, Calibration calibration, int threads, Progress progress) {
    return compress(
        model, recipe, calibration, threads, progress, new Sweep(model, calibration, threads));
  }

  static Compression compress(
      Model model,
      Recipe recipe,
      Calibration calibration,
      int threads,
      Progress progress,
      Sweep sweep) {
    if (threads < 1) {
      throw new InputException("option threads is " + threads, "choose 1 or more");
    }
    Reordering reordering = Reordering.of(model, Work.of(model, recipe), threads);
    if (reordering.constants().isEmpty()) {
      return inOrder(model, recipe, calibration, threads, progress, sweep);
    }
    try (Model reordered = model.with(reordering.constants(), Map.of())) {
      // what is kept is of the model as it was
      Sweep own = new Sweep(reordered, calibration, threads);
      Compression compression = inOrder(reordered, recipe, calibration, threads, progress, own);
      return new Compression(model, recipe, compression.layers(), reordering, compression.tuned());
    }
  }

  private static Compression inOrder(
      Model model,
      Recipe recipe,
      Calibration calibration,
      int threads,
      Progress progress,
      Sweep sweep) {
    List<Work> work = GlobalThreshold.resolve(Work.of(model, recipe));
    if (!recipe.needsCalibration()) {
      return new Compression(model, recipe, sideBySide(model, work, threads, progress));
    }
    if (calibration == null) {
      throw new InputException(
          "recipe '" + recipe.name() + "' learns from samples and got none",
          "pass texts with --calibration FILE, one a line, images with --calibration-image, arrays"
              + " with --calibration-input NAME=FILE.npy, or use a recipe without calibration");
    }
    if (recipe.distillation() != null) {
      return new DistilledRun(model, recipe, work, threads).run(calibration, progress, sweep);
    }
    Supplier<Compression> run =
        () -> new CalibratedRun(model, recipe, work, threads).run(calibration, progress);
    boolean prunesOnly = recipe.stages().stream().allMatch(Stage.Prune.class::isInstance);
    return prunesOnly ? sweep.pruned(recipe.stages(), run).by(recipe) : run.get();
  }

  private static List<Compression.Layer> sideBySide(
      Model model, List<Work> work, int threads, Progress progress) {
    List<Compression.Layer> layers = new ArrayList<>();
    try (ExecutorService pool = Executors.newFixedThreadPool(threads);
        WorkerPool alone = new WorkerPool(1, "filigree-compress")) {
      List<Future<Compression.Layer>> results = new ArrayList<>();
      for (Work item : work) {
        results.add(
            pool.submit(
                () ->
                    item.changes()
                        ? new LayerCompressor(item, null, alone).compress()
                        : Compression.Layer.unchanged(item)));
      }
      try {
        for (Future<Compression.Layer> result : results) {
          // a result that is there already would hide the interrupt
          if (Thread.interrupted()) {
            throw new InterruptedException();
          }
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
    return layers;
  }

  private static RuntimeException unwrapped(Throwable cause) {
    return switch (cause) {
      case RuntimeException exception -> exception;
      case Error error -> throw error;
      default -> new IllegalStateException(cause);
    };
  }
}
