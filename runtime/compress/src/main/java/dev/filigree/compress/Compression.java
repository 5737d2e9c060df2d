package dev.filigree.compress;

import dev.filigree.Model;
import dev.filigree.WeightMatrix;
import dev.filigree.format.container.ContainerWriter;
import dev.filigree.graph.Constant;
import dev.filigree.weights.Weights;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A compressed model, in memory.
 *
 * @param model it was made from; must stay open
 * @param recipe that was applied
 * @param layers all matrices of the model, changed or not
 */
public record Compression(Model model, Recipe recipe, List<Layer> layers) {
  /** Key under which a file tells its recipe. */
  public static final String RECIPE = "filigree.recipe";

  public Compression {
    layers = List.copyOf(layers);
  }

  /**
   * What became of a matrix.
   *
   * @param matrix as the model had it
   * @param weights as they are now
   * @param weightError Frobenius norm of the change over that of the original
   * @param changed whether a stage applied to it
   */
  public record Layer(WeightMatrix matrix, Weights weights, double weightError, boolean changed) {}

  /** Bits stored per weight over all matrices. */
  public double bitsPerWeight() {
    double weights = 0;
    for (Layer layer : layers) {
      weights += (double) layer.weights.rows() * layer.weights.columns();
    }
    return weights == 0 ? 0 : 8.0 * bytesAfter() / weights;
  }

  /**
   * The compressed model, ready to run without a file. It is closed on its own; the file of the
   * original stays mapped until both are.
   */
  public Model toModel() {
    Map<String, Constant> replacements = new LinkedHashMap<>();
    for (Layer layer : layers) {
      if (layer.changed) {
        replacements.put(
            layer.matrix.constant(),
            new Constant.Compressed(layer.weights, layer.matrix.transposed()));
      }
    }
    return model.with(replacements, Map.of(RECIPE, RecipeJson.write(recipe)));
  }

  /** Bytes of all matrices before. */
  public long bytesBefore() {
    return layers.stream().mapToLong(layer -> layer.matrix.weights().bytes()).sum();
  }

  /** Bytes of all matrices as they are now. */
  public long bytesAfter() {
    return layers.stream().mapToLong(layer -> layer.weights.bytes()).sum();
  }

  /**
   * Writes the compressed model as a {@code .filigree} file, whole or not at all.
   *
   * @throws dev.filigree.OutputException if that fails
   */
  public void write(Path file) {
    ContainerWriter writer = model.writer();
    for (Layer layer : layers) {
      if (layer.changed) {
        WeightMatrix matrix = layer.matrix;
        writer.replace(matrix.constant(), matrix.name(), layer.weights, matrix.transposed());
      }
    }
    writer.metadata(RECIPE, RecipeJson.write(recipe));
    writer.write(file);
  }
}
