package dev.filigree.compress;

import dev.filigree.Model;
import dev.filigree.Tensor;
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
 * @param reordering of inputs that came before
 * @param tuned vectors that training changed, by constant: biases and scales
 */
public record Compression(
    Model model,
    Recipe recipe,
    List<Layer> layers,
    Reordering reordering,
    Map<String, Tensor> tuned) {
  /** Key under which a file tells its recipe. */
  public static final String RECIPE = "filigree.recipe";

  public Compression {
    layers = List.copyOf(layers);
    tuned = Map.copyOf(tuned);
  }

  /** A compression without training that leaves inputs in their order. */
  public Compression(Model model, Recipe recipe, List<Layer> layers) {
    this(model, recipe, layers, Reordering.NONE, Map.of());
  }

  /** The same result under another name. */
  Compression by(Recipe other) {
    return new Compression(model, other, layers, reordering, tuned);
  }

  /** The layers whose inputs have another order now. */
  public List<Permuted> permuted() {
    return reordering.layers();
  }

  /**
   * A layer whose inputs have another order.
   *
   * @param name of the layer
   * @param keptBefore share of the sum of its magnitudes that N:M keeps in the order it had
   * @param kept the same in the new order
   */
  public record Permuted(String name, double keptBefore, double kept) {}

  /**
   * What became of a matrix.
   *
   * @param matrix as the model had it
   * @param weights as they are now
   * @param weightError Frobenius norm of the change over that of the original
   * @param changed whether a stage applied to it
   * @param calibrated what calibration said of it, or null
   * @param clusterCost within-cluster cost of its codebooks over the least possible, 1 if that was
   *     found exactly; NaN without codebooks
   * @param biasConstant name of the constant that is its bias, if that changed too, or null
   * @param refused why a stage that targets it passed it over, or null
   */
  public record Layer(
      WeightMatrix matrix,
      Weights weights,
      double weightError,
      boolean changed,
      Calibrated calibrated,
      double clusterCost,
      String biasConstant,
      String refused) {
    static Layer unchanged(Work work) {
      WeightMatrix matrix = work.matrix();
      return new Layer(matrix, matrix.weights(), 0, false, null, Double.NaN, null, work.refused());
    }

    /** The constant in the place of the model's. */
    Constant constant(Model model) {
      return matrix.use() == WeightMatrix.Use.CONVOLUTION
          ? new Constant.Windowed(weights, model.constants().get(matrix.constant()).type().shape())
          : new Constant.Compressed(weights, matrix.transposed());
    }

    Layer withBiasOf(String constant) {
      return new Layer(
          matrix, weights, weightError, changed, calibrated, clusterCost, constant, refused);
    }

    /** This layer after training: of what calibration said of another what still holds. */
    Layer withCalibrationOf(Layer other) {
      Calibrated before = other.calibrated;
      Calibrated kept =
          before == null
              ? null
              : new Calibrated(Double.NaN, before.damping, before.tokens, before.deadInputs, null);
      return new Layer(matrix, weights, weightError, changed, kept, clusterCost, null, refused);
    }

    /** This layer encoded once more: all that calibration said of another, and its bias. */
    Layer withAllOf(Layer other) {
      return new Layer(
          matrix,
          weights,
          weightError,
          changed,
          other.calibrated,
          clusterCost,
          other.biasConstant,
          refused);
    }

    /** The changed bias, or null. */
    float[] bias() {
      return calibrated == null ? null : calibrated.bias;
    }

    /** Norm of the change of the layer's outputs over that of the outputs; NaN if not known. */
    public double outputError() {
      return calibrated == null ? Double.NaN : calibrated.outputError;
    }
  }

  /**
   * What calibration said of a layer.
   *
   * @param outputError norm of the change of its outputs over that of the outputs, on the inputs
   *     that the compressed model gives it; NaN if only squares of the inputs were summed
   * @param damping that the second moments needed, as a fraction of their mean diagonal; 0 if they
   *     were not inverted
   * @param tokens it saw
   * @param deadInputs inputs that were zero at all of them
   * @param bias in the place of the layer's, or null
   */
  public record Calibrated(
      double outputError, double damping, long tokens, int deadInputs, float[] bias) {}

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
    Map<String, Constant> replacements = new LinkedHashMap<>(reordering.constants());
    for (Layer layer : layers) {
      if (layer.changed) {
        replacements.put(layer.matrix.constant(), layer.constant(model));
      }
      if (layer.biasConstant != null) {
        replacements.put(layer.biasConstant, new Constant.Plain(bias(layer)));
      }
    }
    tuned.forEach((constant, vector) -> replacements.put(constant, new Constant.Plain(vector)));
    Map<String, String> notes = new LinkedHashMap<>(reordering.notes());
    notes.put(RECIPE, RecipeJson.write(recipe));
    return model.with(replacements, notes);
  }

  private static Tensor bias(Layer layer) {
    return Tensor.of(layer.bias(), layer.bias().length);
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
    write(file, false);
  }

  /**
   * Writes the compressed model, whole or not at all.
   *
   * @param archive whether entropy-coded, which is smaller and decoded again when it is opened
   * @throws dev.filigree.OutputException if that fails
   */
  public void write(Path file, boolean archive) {
    ContainerWriter writer = model.writer().archive(archive);
    reordering.constants().forEach((name, constant) -> writer.replace(name, constant.toTensor()));
    reordering.notes().forEach(writer::metadata);
    for (Layer layer : layers) {
      if (layer.changed) {
        WeightMatrix matrix = layer.matrix;
        writer.replace(matrix.constant(), matrix.name(), layer.weights, matrix.transposed());
      }
      if (layer.biasConstant != null) {
        writer.replace(layer.biasConstant, bias(layer));
      }
    }
    tuned.forEach(writer::replace);
    writer.metadata(RECIPE, RecipeJson.write(recipe));
    writer.write(file);
  }
}
