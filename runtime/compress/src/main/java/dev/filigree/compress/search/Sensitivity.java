package dev.filigree.compress.search;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.WeightMatrix;
import dev.filigree.compress.Calibration;
import dev.filigree.compress.Compression;
import dev.filigree.compress.Compressor;
import dev.filigree.compress.Recipe;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What every option does to every layer: its bytes, its error, and how far the whole model moves
 * with only that layer changed. Users miss the last in other tools, where layers are scanned by
 * another method than they are then compressed with; here the scan compresses as the run does.
 *
 * @param model that is scanned
 * @param options by which each layer may be compressed; the first leaves it as it is
 * @param compressions of the whole model by each option
 * @param cells {@code [layer][option]}
 */
public record Sensitivity(
    Model model, List<Recipe> options, List<Compression> compressions, Cell[][] cells) {
  /** Tells how close a model is to the dense one: the mean cosine of their outputs. */
  @FunctionalInterface
  public interface Judge {
    double cosine(Model candidate);
  }

  /** Tells how long each layer of a model takes, in microseconds by the layer's name. */
  @FunctionalInterface
  public interface Clock {
    Map<String, Double> micros(Model candidate);
  }

  /**
   * A layer under an option.
   *
   * @param changed whether the option does anything to it
   * @param bytes of its weights
   * @param error of its outputs if the option is calibrated, else of its weights
   * @param loss one less the cosine of the model with only this layer changed; 0 if not changed
   * @param micros it takes; NaN if that was not measured or is not known of such a layer
   */
  public record Cell(boolean changed, long bytes, double error, double loss, double micros) {}

  /**
   * Scans a model.
   *
   * @param recipes options; whatever leaves all layers as they are is added by itself
   * @param samples for options that learn from them, or null
   * @param clock or null if times do not matter
   */
  public static Sensitivity scan(
      Model model,
      List<Recipe> recipes,
      Calibration samples,
      Judge judge,
      Clock clock,
      int threads,
      Progress progress) {
    List<Recipe> options = new ArrayList<>(List.of(Recipe.named("dense")));
    recipes.stream().filter(recipe -> !recipe.isEmpty()).forEach(options::add);
    if (options.size() == 1) {
      throw new InputException(
          "there is nothing to choose from", "name at least one recipe besides dense");
    }
    List<Compression> compressions = new ArrayList<>();
    for (Recipe option : options) {
      if (option.reorders()) {
        throw new InputException(
            "recipe '" + option.name() + "' reorders inputs, which concerns two layers at once",
            "search among recipes without permute");
      }
      if (option.distils()) {
        throw new InputException(
            "recipe '" + option.name() + "' distils, which teaches the network as a whole",
            "search among recipes without distill, and distil what was found");
      }
      compressions.add(Compressor.compress(model, option, samples, threads, progress));
    }
    int layers = compressions.getFirst().layers().size();
    Cell[][] cells = new Cell[layers][options.size()];
    List<Map<String, Double>> times = new ArrayList<>();
    for (Compression compression : compressions) {
      if (clock == null) {
        times.add(Map.of());
        continue;
      }
      try (Model whole = compression.toModel()) {
        times.add(clock.micros(whole));
      }
    }
    for (int layer = 0; layer < layers; layer++) {
      for (int option = 0; option < options.size(); option++) {
        cells[layer][option] = cell(model, compressions, layer, option, times.get(option), judge);
        progress.at(
            "scanning layers", layer * options.size() + option + 1, layers * options.size());
      }
    }
    return new Sensitivity(model, List.copyOf(options), List.copyOf(compressions), cells);
  }

  private static Cell cell(
      Model model,
      List<Compression> compressions,
      int layer,
      int option,
      Map<String, Double> times,
      Judge judge) {
    Compression.Layer compressed = compressions.get(option).layers().get(layer);
    WeightMatrix matrix = compressed.matrix();
    double micros = times.getOrDefault(matrix.name(), Double.NaN);
    if (!compressed.changed()) {
      return new Cell(false, compressed.weights().bytes(), 0, 0, micros);
    }
    List<Compression.Layer> alone = new ArrayList<>(compressions.getFirst().layers());
    alone.set(layer, compressed);
    double loss;
    try (Model changed =
        new Compression(model, compressions.get(option).recipe(), alone).toModel()) {
      loss = 1 - judge.cosine(changed);
    }
    double error =
        Double.isNaN(compressed.outputError())
            ? compressed.weightError()
            : compressed.outputError();
    return new Cell(true, compressed.weights().bytes(), error, loss, micros);
  }

  /** Layers of the model. */
  public int layers() {
    return cells.length;
  }

  /** Name of a layer. */
  public String name(int layer) {
    return compressions.getFirst().layers().get(layer).matrix().name();
  }

  /** The model with an option for each layer, as the scan compressed it. */
  public Compression mixed(int[] choice) {
    List<Compression.Layer> layers = new ArrayList<>();
    for (int layer = 0; layer < choice.length; layer++) {
      layers.add(compressions.get(choice[layer]).layers().get(layer));
    }
    return new Compression(model, recipe(choice, "mixed"), layers);
  }

  /** The recipe that has an option for each layer. */
  public Recipe recipe(int[] choice, String name) {
    Map<Integer, List<WeightMatrix>> chosen = new HashMap<>();
    for (int layer = 0; layer < choice.length; layer++) {
      if (cells[layer][choice[layer]].changed()) {
        chosen
            .computeIfAbsent(choice[layer], option -> new ArrayList<>())
            .add(compressions.getFirst().layers().get(layer).matrix());
      }
    }
    List<Recipe> parts = new ArrayList<>();
    chosen.keySet().stream()
        .sorted()
        .forEach(option -> parts.add(options.get(option).only(chosen.get(option))));
    return Recipe.joined(name, parts);
  }
}
