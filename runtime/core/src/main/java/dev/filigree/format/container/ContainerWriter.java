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
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

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

  private record Layer(String module, Weights weights, boolean transposed) {}

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
    layers.put(constant, new Layer(module, weights, transposed));
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

  /**
   * Writes the file, whole or not at all.
   *
   * @throws dev.filigree.OutputException if that fails
   */
  public void write(Path file) {
    SafetensorsWriter tensors = new SafetensorsWriter();
    tensors.metadata("format", "filigree").metadata(Container.VERSION, Container.CURRENT);
    metadata.forEach(tensors::metadata);
    Map<String, Map<String, String>> places = new LinkedHashMap<>();
    graph.constants().forEach((name, constant) -> store(name, constant, tensors, places));
    byte[] weightless = WeightlessOnnx.of(source, onnx, places, graph.constants());
    add(tensors, Container.GRAPH, MemorySegment.ofArray(weightless));
    documents.forEach((name, content) -> add(tensors, Container.DOCUMENT + name, content));
    tensors.write(file);
  }

  private void store(
      String name,
      Constant constant,
      SafetensorsWriter tensors,
      Map<String, Map<String, String>> places) {
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
          store(name, new Layer(name, weights, transposed), tensors, places);
      default -> store(name, layer, tensors, places);
    }
  }

  private static void store(
      String name,
      Layer layer,
      SafetensorsWriter tensors,
      Map<String, Map<String, String>> places) {
    WeightsFormat.write(tensors, layer.module, layer.weights);
    Map<String, String> place = new LinkedHashMap<>();
    place.put(Container.LOCATION, layer.module);
    place.put(Container.FORMAT, Container.label(WeightsFormat.of(layer.weights)));
    place.put(Container.TRANSPOSED, layer.transposed ? "1" : "0");
    places.put(name, place);
  }

  private static void add(SafetensorsWriter tensors, String name, MemorySegment content) {
    tensors.add(name, SafetensorsType.U8, Shape.of(content.byteSize()), content);
  }
}
