package dev.filigree.format.container;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.UnsupportedException;
import dev.filigree.format.onnx.ExternalData;
import dev.filigree.format.onnx.OnnxReader;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * A {@code .filigree} file: a safetensors file that holds a model's weights in their compressed
 * forms (see {@link WeightsFormat}), its ONNX graph without weights as the U8 tensor {@value
 * #GRAPH}, and documents such as the tokenizer as U8 tensors under {@value #DOCUMENT}. An
 * initializer of the graph refers to its weights as external data:
 *
 * <pre>
 *   location    name of the tensor, or of the layer whose tensors they are
 *   format      plain, dense, quantized, codebook, sparse24 or unstructured
 *   transposed  1 if the graph has [in, out] where the file has [out, in]; weights of a convolution,
 *               [out, channels, kernel...] in the graph, are [out, kernel... * channels] in the file
 * </pre>
 *
 * @param onnx the weightless model
 * @param graph read from it, with constants that lie in the mapped file
 * @param documents by name
 * @param metadata what the file says of itself
 */
public record Container(
    MemorySegment onnx,
    Graph graph,
    Map<String, MemorySegment> documents,
    Map<String, String> metadata) {
  /** Name of the tensor that holds the graph. */
  public static final String GRAPH = "filigree.graph";

  /** Prefix of the tensors that hold documents. */
  public static final String DOCUMENT = "filigree.document.";

  /** Key of the version of this format. */
  public static final String VERSION = "filigree.version";

  /** Key of an archive's sizes: bytes of the tensors as they are coded, and decoded. */
  public static final String ARCHIVE = "filigree.archive";

  /** Key under which safetensors files name what they are. */
  static final String FAMILY = "format";

  /** The version this code writes; it reads archives too. */
  static final String CURRENT = "1";

  static final String LOCATION = "location";
  static final String FORMAT = "format";
  static final String TRANSPOSED = "transposed";
  static final String PLAIN = "plain";

  /** Whether an entry of the metadata tells how a file is written and not what is in it. */
  public static boolean isOfForm(String key) {
    return key.equals(FAMILY) || key.equals(VERSION) || key.equals(ARCHIVE);
  }

  /**
   * Maps a file and checks it: header, graph, masks, sizes. Weights are not copied, but those of an
   * archive decoded.
   *
   * @param arena decides how long the weights live
   * @throws FormatException if the file is damaged
   * @throws UnsupportedException if a newer Filigree wrote it
   */
  public static Container map(Path file, Arena arena) {
    SafetensorsFile mapped = SafetensorsFile.map(file, arena);
    boolean packed = Archive.VERSION.equals(mapped.metadata().get(VERSION));
    SafetensorsFile tensors = packed ? Archive.unpack(mapped, arena) : mapped;
    String version = tensors.metadata().get(VERSION);
    if (version == null) {
      throw new FormatException(
          file + " is a safetensors file without a Filigree graph",
          "pass a .filigree file made by 'filigree compress', or the ONNX model");
    }
    if (!packed && !version.equals(CURRENT)) {
      throw new UnsupportedException(
          file + " has version " + version + " of the .filigree format",
          "this Filigree reads versions to "
              + Archive.VERSION
              + "; use a newer one or write the file again");
    }
    MemorySegment onnx =
        tensors
            .entry(GRAPH)
            .map(SafetensorsFile.Entry::data)
            .orElseThrow(
                () ->
                    new FormatException(
                        file + " lacks its tensor '" + GRAPH + "'", "write the file again"));
    Map<String, MemorySegment> documents = new LinkedHashMap<>();
    tensors
        .entries()
        .forEach(
            (name, entry) -> {
              if (name.startsWith(DOCUMENT)) {
                documents.put(name.substring(DOCUMENT.length()), entry.data());
              }
            });
    Graph graph = OnnxReader.read(file.toString(), onnx, inside(tensors));
    return new Container(onnx, graph, documents, tensors.metadata());
  }

  /** Finds the data of initializers among the file's tensors. */
  private static ExternalData inside(SafetensorsFile file) {
    // a layer that several initializers name is one object, so that it is laid out once
    Map<String, Weights> layers = new HashMap<>();
    return (initializer, dtype, shape, places) -> {
      String location = places.getOrDefault(LOCATION, "");
      String format = places.getOrDefault(FORMAT, PLAIN);
      if (format.equals(PLAIN)) {
        return plain(file, initializer, dtype, shape, location);
      }
      boolean transposed = places.getOrDefault(TRANSPOSED, "0").equals("1");
      boolean window = shape.rank() > 2 && shape.extent(0) > 0;
      long inputs = window ? shape.elements() / shape.extent(0) : 0;
      boolean matrix = shape.rank() == 2 && fitsInts(shape.extent(1));
      if (dtype != DType.F32
          || !matrix && !(window && !transposed && fitsInts(inputs))
          || !fitsInts(shape.extent(0))) {
        throw new FormatException(
            file.source()
                + ": initializer '"
                + initializer
                + "' of type "
                + dtype
                + shape
                + " is said to be compressed weights",
            "write the file again");
      }
      int rows = (int) shape.extent(transposed ? 1 : 0);
      int columns = (int) (window ? inputs : shape.extent(transposed ? 0 : 1));
      WeightsFormat known = format(file, initializer, format);
      Weights weights =
          layers.computeIfAbsent(
              location + " " + known + " " + rows + " x " + columns,
              key -> known.read(file, location, rows, columns));
      return window
          ? new Constant.Windowed(weights, shape)
          : new Constant.Compressed(weights, transposed);
    };
  }

  private static boolean fitsInts(long extent) {
    return extent <= Integer.MAX_VALUE;
  }

  private static Constant plain(
      SafetensorsFile file, String initializer, DType dtype, Shape shape, String location) {
    SafetensorsFile.Entry entry =
        file.entry(location)
            .orElseThrow(
                () ->
                    new FormatException(
                        file.source()
                            + " lacks the tensor '"
                            + location
                            + "' of initializer '"
                            + initializer
                            + "'",
                        "write the file again"));
    if (!entry.shape().equals(shape) || !entry.type().dtype().equals(Optional.of(dtype))) {
      throw new FormatException(
          file.source()
              + ": initializer '"
              + initializer
              + "' is "
              + dtype
              + shape
              + " but its tensor is "
              + entry.type()
              + entry.shape(),
          "write the file again");
    }
    return new Constant.Plain(entry.tensor());
  }

  private static WeightsFormat format(SafetensorsFile file, String initializer, String name) {
    for (WeightsFormat format : WeightsFormat.values()) {
      if (label(format).equals(name)) {
        return format;
      }
    }
    throw new UnsupportedException(
        file.source() + ": initializer '" + initializer + "' has the format '" + name + "'",
        "use a newer Filigree or write the file again");
  }

  /** The text that stands for a format. */
  static String label(WeightsFormat format) {
    return format.name().toLowerCase(Locale.ROOT);
  }
}
