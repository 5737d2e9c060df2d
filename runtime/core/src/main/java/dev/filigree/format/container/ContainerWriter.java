package dev.filigree.format.container;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.format.onnx.WeightlessOnnx;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.format.safetensors.SafetensorsWriter;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Writes {@code .filigree} files; see {@link Container} for what they hold. */
public final class ContainerWriter {
  /** Bytes below which a constant stays in the graph: shapes and scalars. */
  public static final long SMALL = 256;

  private final String source;
  private final MemorySegment onnx;
  private final Graph graph;
  private final Map<String, Layer> layers = new HashMap<>();
  private final Map<String, MemorySegment> documents = new LinkedHashMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();

  private final Map<String, Tensor> replaced = new HashMap<>();
  private boolean archive;

  /**
   * Weights to store.
   *
   * @param source the constant they take the place of, or null while it is not known
   */
  private record Layer(String module, Weights weights, boolean transposed, Constant source) {
    /**
     * Whether another layer stores the same: a table of words that serves as the last layer too is
     * stored once. Only constants that began as one are compared, value by value if they were
     * replaced.
     */
    boolean isSame(Layer other) {
      boolean one =
          source instanceof Constant.Compressed(Weights own, boolean seen)
              && other.source instanceof Constant.Compressed(Weights others, boolean also)
              && own == others;
      return one
          && (weights == other.weights
              || weights.format().equals(other.weights.format())
                  && weights.bytes() == other.weights.bytes()
                  && hasValuesOf(other.weights));
    }

    private boolean hasValuesOf(Weights others) {
      float[] own = new float[weights.columns()];
      float[] row = new float[weights.columns()];
      boolean same = weights.rows() == others.rows() && weights.columns() == others.columns();
      for (int r = 0; same && r < weights.rows(); r++) {
        weights.unpackRow(r, own, 0);
        others.unpackRow(r, row, 0);
        same = Arrays.equals(own, row);
      }
      return same;
    }
  }

  /**
   * Prepares a file.
   *
   * @param source the model's name in messages
   * @param onnx the ONNX model, with or without its weights
   * @param graph as it was read from it, before any pass
   */
  public ContainerWriter(String source, MemorySegment onnx, Graph graph) {
    this.source = source;
    this.onnx = onnx;
    this.graph = graph;
  }

  /**
   * Puts weights in the place of a constant.
   *
   * @param constant its name in the graph
   * @param module name of the layer, under which its tensors are stored
   * @param transposed whether the constant is {@code [in, out]}
   */
  public ContainerWriter replace(
      String constant, String module, Weights weights, boolean transposed) {
    layers.put(constant, new Layer(module, weights, transposed, null));
    return this;
  }

  /** Puts a tensor in the place of a constant of the same type and shape, such as a bias. */
  public ContainerWriter replace(String constant, Tensor tensor) {
    replaced.put(constant, tensor);
    return this;
  }

  /** Adds a document, such as the tokenizer. */
  public ContainerWriter document(String name, MemorySegment content) {
    documents.put(name, content);
    return this;
  }

  /** Adds what the file says of itself. */
  public ContainerWriter metadata(String key, String value) {
    metadata.put(key, value);
    return this;
  }

  /** Whether tensors are written entropy-coded, decoded again when the file is opened. */
  public ContainerWriter archive(boolean wanted) {
    archive = wanted;
    return this;
  }

  /**
   * Writes the file, whole or not at all.
   *
   * @throws dev.filigree.OutputException if that fails
   */
  public void write(Path file) {
    SafetensorsWriter tensors = new SafetensorsWriter();
    tensors.metadata(Container.FAMILY, "filigree").metadata(Container.VERSION, Container.CURRENT);
    metadata.forEach(tensors::metadata);
    Map<String, Map<String, String>> places = new LinkedHashMap<>();
    List<Layer> layersSoFar = new ArrayList<>();
    graph
        .constants()
        .forEach((name, constant) -> store(name, constant, tensors, places, layersSoFar));
    byte[] weightless = WeightlessOnnx.of(source, onnx, places, graph.constants());
    add(tensors, Container.GRAPH, MemorySegment.ofArray(weightless));
    documents.forEach((name, content) -> add(tensors, Container.DOCUMENT + name, content));
    (archive ? Archive.pack(tensors) : tensors).write(file);
  }

  private void store(
      String name,
      Constant constant,
      SafetensorsWriter tensors,
      Map<String, Map<String, String>> places,
      List<Layer> layersSoFar) {
    Layer layer = layers.get(name);
    switch (constant) {
      case Constant.Plain(Tensor tensor) when layer == null -> {
        Tensor stored = replaced.getOrDefault(name, tensor);
        // what the graph keeps inside is copied from the original model
        if (tensor.bytes() >= SMALL || stored != tensor) {
          tensors.add(name, stored);
          places.put(name, Map.of(Container.LOCATION, name, Container.FORMAT, Container.PLAIN));
        }
      }
      case Constant.Compressed(Weights weights, boolean transposed) when layer == null ->
          store(name, new Layer(name, weights, transposed, constant), tensors, places, layersSoFar);
      case Constant.Windowed(Weights weights, Shape shape) when layer == null ->
          store(name, new Layer(name, weights, false, constant), tensors, places, layersSoFar);
      default ->
          store(
              name,
              new Layer(layer.module, layer.weights, layer.transposed, constant),
              tensors,
              places,
              layersSoFar);
    }
  }

  private static void store(
      String name,
      Layer layer,
      SafetensorsWriter tensors,
      Map<String, Map<String, String>> places,
      List<Layer> layersSoFar) {
    Optional<Layer> same = layersSoFar.stream().filter(layer::isSame).findFirst();
    if (same.isEmpty()) {
      WeightsFormat.write(tensors, layer.module, layer.weights);
      layersSoFar.add(layer);
    }
    Map<String, String> place = new LinkedHashMap<>();
    place.put(Container.LOCATION, same.orElse(layer).module);
    place.put(Container.FORMAT, Container.label(WeightsFormat.of(layer.weights)));
    place.put(Container.TRANSPOSED, layer.transposed ? "1" : "0");
    places.put(name, place);
  }

  private static void add(SafetensorsWriter tensors, String name, MemorySegment content) {
    tensors.add(name, SafetensorsType.U8, Shape.of(content.byteSize()), content);
  }
}
