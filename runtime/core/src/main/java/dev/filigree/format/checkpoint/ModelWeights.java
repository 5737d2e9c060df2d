package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Weights;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.LongStream;

/**
 * The tensors of a checkpoint's network once it is a model, whichever file the model came from.
 * Names are the checkpoint's own; weights may have been compressed since.
 *
 * @param model whose graph was made from a checkpoint
 */
record ModelWeights(Model model) implements WeightSource {
  private static final String WEIGHT = ".weight";

  @Override
  public boolean has(String tensor) {
    return model.constants().containsKey(tensor);
  }

  @Override
  public boolean hasLayer(String module) {
    return has(module + WEIGHT);
  }

  @Override
  public int rows(String module) {
    return Math.toIntExact(model.constants().get(module + WEIGHT).type().dim(0).value());
  }

  @Override
  public String prefix(String suffix) {
    return model.constants().keySet().stream()
        .filter(name -> name.equals(suffix) || name.endsWith("." + suffix))
        .min(Comparator.comparingInt(String::length))
        .map(name -> name.substring(0, name.length() - suffix.length()))
        .orElseThrow(() -> contradicts(suffix, "a table of words"));
  }

  @Override
  public Tensor tensor(String name, long... extents) {
    Constant constant = model.constants().get(name);
    if (constant == null
        || !constant.type().dims().equals(LongStream.of(extents).mapToObj(Dim::of).toList())
        || !constant.type().dtype().isFloating()) {
      throw contradicts(name, Arrays.toString(extents));
    }
    return constant.toTensor();
  }

  @Override
  public Weights weights(String module, int rows, int columns) {
    return matrix(module, rows, columns, false);
  }

  /** A graph has the weights of its layers as {@code [in, out]}, whatever the checkpoint has. */
  @Override
  public Weights linear(String module, int out, int in, boolean turned) {
    return matrix(module, out, in, true);
  }

  private Weights matrix(String module, int rows, int columns, boolean seenTurned) {
    String name = module + WEIGHT;
    Weights weights =
        switch (model.constants().get(name)) {
          case Constant.Compressed(Weights stored, boolean turned) when turned == seenTurned ->
              stored;
          case Constant.Compressed(Dense dense, boolean _) ->
              new Dense(dense.tensor().permute(1, 0));
          case Constant.Plain(Tensor tensor)
              when tensor.shape().rank() == 2 && Dense.holds(tensor.dtype()) ->
              new Dense(seenTurned ? tensor.permute(1, 0) : tensor);
          case null, default -> throw contradicts(name, "[" + rows + ", " + columns + "]");
        };
    if (weights.rows() != rows || weights.columns() != columns) {
      throw contradicts(name, "[" + rows + ", " + columns + "]");
    }
    return weights;
  }

  private FormatException contradicts(String name, String wanted) {
    Constant found = model.constants().get(name);
    return new FormatException(
        model.path()
            + (found == null ? " has no '" + name + "'" : " has '" + name + "' " + found.type())
            + " where its "
            + Checkpoint.CONFIG
            + " asks for "
            + wanted,
        "use the config that belongs to the weights");
  }
}
