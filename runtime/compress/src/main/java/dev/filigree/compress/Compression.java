package dev.filigree.compress;

import dev.filigree.Model;
import dev.filigree.WeightMatrix;
import dev.filigree.format.container.ContainerWriter;
import dev.filigree.weights.Weights;
import java.nio.file.Path;
import java.util.List;

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
    double bits = 0;
    double weights = 0;
    for (Layer layer : layers) {
      bits += 8.0 * layer.weights.bytes();
      weights += (double) layer.weights.rows() * layer.weights.columns();
    }
    return weights == 0 ? 0 : bits / weights;
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
