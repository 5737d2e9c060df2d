package dev.filigree;

import dev.filigree.event.Flight;
import dev.filigree.event.LoadEvent;
import dev.filigree.format.MappedFile;
import dev.filigree.format.checkpoint.Checkpoint;
import dev.filigree.format.checkpoint.SentenceModules;
import dev.filigree.format.container.Container;
import dev.filigree.format.container.ContainerWriter;
import dev.filigree.format.onnx.Companions;
import dev.filigree.format.onnx.ExternalData;
import dev.filigree.format.onnx.OnnxReader;
import dev.filigree.format.onnx.OnnxWriter;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.pass.OutputTypes;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Operators;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * A network read from a file. Its weights stay in the mapped file until a session lays them out for
 * a device. Immutable and safe to share; the file stays mapped until the model and all its sessions
 * are closed.
 */
public final class Model implements AutoCloseable {
  /** Name of the document that holds a tokenizer in Hugging Face's format. */
  public static final String TOKENIZER = "tokenizer.json";

  /** Name of the document that says what is done to images before the network sees them. */
  public static final String IMAGE = "image.json";

  /** Name of the document that names the classes of a classifier, one a line. */
  public static final String LABELS = "labels.txt";

  private final Path path;
  private final Runnable unmap;
  private final MemorySegment onnx;
  private final Graph original;
  private final Map<String, MemorySegment> documents;
  private final Map<String, String> metadata;

  /** The graph as it is planned, once somebody asked for it. */
  private volatile Graph planned;

  private int holders = 1;
  private boolean closed;

  private Model(
      Path path,
      Runnable unmap,
      MemorySegment onnx,
      Graph original,
      Map<String, MemorySegment> documents,
      Map<String, String> metadata) {
    this.path = path;
    this.unmap = unmap;
    this.onnx = onnx;
    Passes.requireKnown(original);
    this.original = OutputTypes.declared(original);
    this.documents = Map.copyOf(documents);
    this.metadata = Map.copyOf(metadata);
  }

  /**
   * Opens a model: an ONNX file ({@code .onnx}), a compressed model ({@code .filigree}), or the
   * folder of a checkpoint. Its file is mapped and checked; its layers are recognised when a
   * session or {@link #graph()} first needs them.
   *
   * @throws FormatException if the file is missing or damaged
   * @throws UnsupportedException if it uses something Filigree does not support
   * @throws GraphException if its graph is none, or a node lacks what its operator needs
   */
  public static Model open(Path path) {
    LoadEvent event = Flight.begin(LoadEvent::new);
    Model model = read(path);
    if (event != null) {
      event.path = path.toString();
      event.bytes = model.weightBytes();
      event.commit();
    }
    return model;
  }

  private static Model read(Path path) {
    Arena arena = Arena.ofShared();
    try {
      if (Files.isDirectory(path)) {
        return checkpoint(path, arena);
      }
      String name = path.getFileName() == null ? "" : path.getFileName().toString();
      if (name.endsWith(".filigree") || name.endsWith(".safetensors")) {
        Container container = Container.map(path, arena);
        return new Model(
            path,
            arena::close,
            container.onnx(),
            container.graph(),
            container.documents(),
            container.metadata());
      }
      if (!name.endsWith(".onnx")) {
        throw new UnsupportedException(
            path + " is no model file Filigree knows",
            "pass a .onnx or .filigree file, or the folder of a checkpoint");
      }
      MemorySegment onnx = MappedFile.map(path, arena);
      Graph original = OnnxReader.read(path.toString(), onnx, ExternalData.beside(path, arena));
      Map<String, String> notes = new HashMap<>();
      Companions.folders(path).stream()
          .flatMap(folder -> SentenceModules.pooling(folder).stream())
          .findFirst()
          .ifPresent(mode -> notes.put(SentenceModules.POOLING, mode));
      return new Model(
          path,
          arena::close,
          onnx,
          original,
          Companions.documents(path, List.of(TOKENIZER, IMAGE, LABELS), arena),
          notes);
    } catch (RuntimeException | Error failed) {
      arena.close();
      throw failed;
    }
  }

  private static Model checkpoint(Path folder, Arena arena) {
    Checkpoint checkpoint = Checkpoint.open(folder, arena);
    byte[] onnx = OnnxWriter.weightless(checkpoint.graph(), ContainerWriter.SMALL);
    return new Model(
        folder,
        arena::close,
        MemorySegment.ofArray(onnx),
        checkpoint.graph(),
        checkpoint.documents(),
        checkpoint.metadata());
  }

  /** File name without its ending, or the whole name of a checkpoint's folder. */
  public String name() {
    String file = path.getFileName() == null ? path.toString() : path.getFileName().toString();
    int dot = Files.isDirectory(path) ? -1 : file.lastIndexOf('.');
    return dot > 0 ? file.substring(0, dot) : file;
  }

  /** The file it was read from. */
  public Path path() {
    return path;
  }

  /** The inputs it takes. */
  public List<ValueInfo> inputs() {
    return original.inputs();
  }

  /** The outputs it makes. */
  public List<ValueInfo> outputs() {
    return original.outputs();
  }

  /** Types of its file's nodes, before any pass. */
  Set<String> operators() {
    return original.nodes().stream().map(Node::type).collect(Collectors.toSet());
  }

  /**
   * The graph as it is planned, after constant folding and fusions; made by the first call, the
   * same for all.
   *
   * @throws GraphException if nodes contradict each other
   */
  public Graph graph() {
    Graph known = planned;
    if (known == null) {
      // whoever comes second waits; two graphs would be two sets of folded constants
      synchronized (original) {
        known = planned;
        if (known == null) {
          known = Passes.standard(original);
          planned = known;
        }
      }
    }
    return known;
  }

  /**
   * Documents that came with the model, by name: {@value #TOKENIZER}, {@value #IMAGE}, {@value
   * #LABELS} and others.
   */
  public Map<String, MemorySegment> documents() {
    return documents;
  }

  /** What the file says of itself, for example the recipe it was compressed with. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** Weight matrices in the order of the graph, each once. */
  public List<WeightMatrix> matrices() {
    return new ModelMatrices(original, graph()).layersAndTables();
  }

  /**
   * Convolutions whose weights are a constant of their own in f32 or compressed, as the file has
   * them, in the order of the graph.
   */
  public List<WeightMatrix> convolutions() {
    return new ModelMatrices(original, graph()).convolutions();
  }

  /** Bytes of all constants in their forms; weights that several layers share count once. */
  public long weightBytes() {
    Set<Weights> counted = Collections.newSetFromMap(new IdentityHashMap<>());
    return original.constants().values().stream()
        .filter(
            constant ->
                !(constant instanceof Constant.Compressed(Weights weights, boolean transposed))
                    || counted.add(weights))
        .mapToLong(Constant::bytes)
        .sum();
  }

  /** Constants of the file by name, before any pass. */
  public Map<String, Constant> constants() {
    return original.constants();
  }

  /**
   * The largest extent a symbolic axis may have, found by trying: a text model's position table
   * limits its sequences. That of a checkpoint says so itself.
   *
   * @param symbol of an axis of the inputs, for example {@code sequence_length}
   * @param limit where the search ends
   */
  public int longest(String symbol, int limit) {
    String known = metadata.getOrDefault(Checkpoint.LONGEST, "");
    int most = known.matches("[1-9]\\d{0,8}") ? Math.min(limit, Integer.parseInt(known)) : limit;
    int fits = 0;
    int exceeds = most + 1;
    while (exceeds - fits > 1) {
      int middle = fits + (exceeds - fits) / 2;
      if (canTake(symbol, middle)) {
        fits = middle;
      } else {
        exceeds = middle;
      }
    }
    return fits;
  }

  private boolean canTake(String symbol, int extent) {
    Map<String, Shape> shapes = new HashMap<>();
    for (ValueInfo input : inputs()) {
      long[] extents =
          input.dims().stream()
              .mapToLong(
                  dim -> dim.isKnown() ? dim.value() : dim.toString().equals(symbol) ? extent : 1)
              .toArray();
      shapes.put(input.name(), Shape.of(extents));
    }
    try {
      ShapeInference.infer(graph(), shapes, Operators::find);
      return true;
    } catch (GraphException tooLong) {
      return false;
    }
  }

  /**
   * A writer of a {@code .filigree} file with all of this model, what its file says of itself
   * included; the caller replaces weights before it writes.
   */
  public ContainerWriter writer() {
    ContainerWriter writer = new ContainerWriter(path.toString(), onnx, original);
    documents.forEach(writer::document);
    new TreeMap<>(metadata)
        .forEach(
            (key, value) -> {
              // the form of a file is that of the new one
              if (!Container.isOfForm(key)) {
                writer.metadata(key, value);
              }
            });
    return writer;
  }

  /**
   * Writes the model as ONNX, compressed weights as plain dense ones with the zeros in place; see
   * {@link OnnxWriter#write}.
   *
   * @throws UnsupportedException if it rounds to floats of eight bits, which are not written back
   * @throws OutputException if it cannot be written
   */
  public void writeOnnx(Path file) {
    OnnxWriter.write(original, file);
  }

  /**
   * This model with other constants in the place of some of its own, without a file. It is closed
   * on its own; the file stays mapped until both are.
   *
   * @param replacements by name, of the type and shape of what they replace
   * @param notes added to what the file says of itself
   * @throws InputException if the model has no such constant
   * @throws IllegalStateException if the model was closed
   */
  public Model with(Map<String, Constant> replacements, Map<String, String> notes) {
    Map<String, Constant> constants = new LinkedHashMap<>(original.constants());
    replacements.forEach(
        (constant, replacement) -> {
          Constant replaced = constants.put(constant, replacement);
          if (replaced == null || !replaced.type().dims().equals(replacement.type().dims())) {
            throw new InputException(
                "constant '" + constant + "' of " + path + " cannot be replaced by " + replacement,
                replaced == null ? "the model has none of that name" : "it is " + replaced.type());
          }
        });
    Map<String, String> notesOfBoth = new HashMap<>(metadata);
    notesOfBoth.putAll(notes);
    hold();
    try {
      Graph changed = original.with(original.nodes(), constants);
      return new Model(path, this::release, onnx, changed, documents, notesOfBoth);
    } catch (RuntimeException | Error failed) {
      release();
      throw failed;
    }
  }

  /**
   * Makes the model ready to run.
   *
   * @throws DeviceException if the device or the kernels the options ask for are not there
   * @throws GraphException if nodes of the graph contradict each other
   * @throws IllegalStateException if the model was closed
   */
  public Session session(SessionOptions options) {
    hold();
    try {
      return new Session(this, options);
    } catch (RuntimeException | Error failed) {
      release();
      throw failed;
    }
  }

  /**
   * Makes a decoder ready to read and write sequences.
   *
   * @throws UnsupportedException if the model is no decoder of a known family
   * @throws DeviceException if the kernels the options ask for are not there
   * @throws IllegalStateException if the model was closed
   */
  public Decoder decoder(DecoderOptions options) {
    hold();
    try {
      return new Decoder(this, options);
    } catch (RuntimeException | Error failed) {
      release();
      throw failed;
    }
  }

  private synchronized void hold() {
    if (closed) {
      throw new IllegalStateException("model '" + name() + "' was closed");
    }
    holders++;
  }

  /** A session, a decoder or a model made of this one ended. */
  synchronized void release() {
    if (--holders == 0) {
      unmap.run();
    }
  }

  /** Unmaps the file once the last session is closed. May be called again. */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      release();
    }
  }
}
