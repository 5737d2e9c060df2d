package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Model;
import dev.filigree.OutputException;
import dev.filigree.UnsupportedException;
import dev.filigree.WeightMatrix;
import dev.filigree.format.AtomicFile;
import dev.filigree.format.safetensors.SafetensorsWriter;
import dev.filigree.graph.Constant;
import dev.filigree.weights.Weights;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a model as a checkpoint folder in the forms of compressed-tensors, so that other tools can
 * load what Filigree compressed: 2:4 floats and integers as {@code sparse-24-bitmask}, unstructured
 * ones as {@code sparse-bitmask}, packed integers as {@code pack-quantized}, 8-bit ones as {@code
 * int-quantized}. Forms no published format has (codebooks) become dense, with every value as it
 * was.
 */
public final class CheckpointWriter {
  /** What stands for the family in the config of a model that has none. */
  static final String NO_FAMILY = "filigree";

  private static final ObjectMapper JSON = JsonMapper.builder().build();

  private final Model model;
  private final SafetensorsWriter tensors = new SafetensorsWriter().metadata("format", "pt");
  private final WrittenSchemes schemes = new WrittenSchemes();
  private final Map<String, WeightMatrix> modules = new LinkedHashMap<>();
  private final Optional<Family> family;

  /** Whether the head has weights of its own that once were those of the table of words. */
  private boolean isParted;

  private CheckpointWriter(Model model) {
    this.model = model;
    this.family =
        Optional.ofNullable(model.documents().get(Checkpoint.CONFIG))
            .map(text -> JsonFile.parse(model.path(), text.toArray(DType.BYTE)))
            .map(TextPart::configIn)
            .flatMap(
                config ->
                    config
                        .text("model_type")
                        .flatMap(
                            name ->
                                Stream.of(Family.DECODERS, Family.ENCODERS)
                                    .filter(table -> table.isKnown(name))
                                    .findFirst()
                                    .map(table -> table.of(name, config))));
  }

  /**
   * Writes a folder, then reads it and compares every weight.
   *
   * @param folder made if it is not there; files of these names in it are replaced
   * @throws OutputException if it cannot be written
   * @throws UnsupportedException if the model is of a family that keeps experts in one tensor a
   *     layer, for which compressed-tensors has no form
   * @throws FormatException if a layer does not read back as it was written; the folder's {@code
   *     config.json} is not written then, so nothing takes it for a checkpoint
   */
  public static void write(Model model, Path folder) {
    new CheckpointWriter(model).write(folder);
  }

  private void write(Path folder) {
    if (family.filter(own -> own.has("stacked_alone")).isPresent()) {
      throw new UnsupportedException(
          "a folder of the family '"
              + family.get().config().text("model_type").orElseThrow()
              + "' keeps the experts of a layer in one tensor, and Filigree compresses each",
          "write a .filigree file");
    }
    try {
      Files.createDirectories(folder);
      Files.deleteIfExists(folder.resolve(Checkpoint.CONFIG));
      Files.deleteIfExists(folder.resolve(CheckpointTensors.INDEX));
    } catch (IOException failed) {
      throw new OutputException(
          "folder " + folder + " cannot be written (" + failed.getMessage() + ")",
          "choose a folder you may write to",
          failed);
    }
    for (WeightMatrix matrix : model.matrices()) {
      String name = matrix.name();
      if (name.endsWith(NetworkBuilder.TIED)) {
        WeightMatrix table = modules.get(name.replace(NetworkBuilder.TIED, ""));
        if (table != null && isSame(table.weights(), matrix.weights())) {
          continue;
        }
        // compressed on its own, it is the table no more
        name = head().orElse(name);
        isParted = true;
      }
      modules.put(name, matrix);
      WrittenLayer.write(name, matrix.weights(), tensors, schemes, isTurned(name, matrix));
    }
    writeVectors();
    Path file = folder.resolve(CheckpointTensors.SINGLE);
    tensors.write(file);
    ObjectNode config = config();
    verify(file, config, folder);
    model
        .documents()
        .forEach(
            (name, content) -> {
              if (!name.equals(Checkpoint.CONFIG) && name.matches("[A-Za-z0-9_.-]+")) {
                bytes(folder.resolve(name), content.toArray(DType.BYTE));
              }
            });
    bytes(
        folder.resolve(Checkpoint.CONFIG),
        JSON.writerWithDefaultPrettyPrinter()
            .writeValueAsString(config)
            .getBytes(StandardCharsets.UTF_8));
  }

  private Optional<String> head() {
    return family.flatMap(decoder -> decoder.module("head"));
  }

  /** The layer of MobileBERT's words that lies the other way around. */
  private Optional<String> rest() {
    return family
        .flatMap(encoder -> encoder.about().object("masked"))
        .flatMap(own -> own.text("rest"));
  }

  private boolean isTurned(String name, WeightMatrix matrix) {
    boolean isTransposed =
        family.filter(decoder -> decoder.has("transposed")).isPresent()
            && !head().equals(Optional.of(name));
    return matrix.use() == WeightMatrix.Use.LINEAR
        && (isTransposed || rest().equals(Optional.of(name)));
  }

  private static boolean isSame(Weights first, Weights second) {
    boolean same = first.rows() == second.rows() && first.columns() == second.columns();
    float[] one = new float[first.columns()];
    float[] other = new float[first.columns()];
    for (int row = 0; same && first != second && row < first.rows(); row++) {
      first.unpackRow(row, one, 0);
      second.unpackRow(row, other, 0);
      same = Arrays.equals(one, other);
    }
    return same;
  }

  /** Everything that is no matrix but belongs to a layer: biases, normalisations, filters. */
  private void writeVectors() {
    Set<String> matrices = new HashSet<>();
    modules.values().forEach(matrix -> matrices.add(matrix.constant()));
    model
        .constants()
        .forEach(
            (name, constant) -> {
              boolean own =
                  !(constant instanceof Constant.Compressed)
                      && constant.type().dtype().isFloating()
                      && constant.type().rank() > 0
                      && !name.contains("/");
              if (own && !matrices.contains(name)) {
                tensors.add(name, constant.toTensor());
              }
            });
  }

  private ObjectNode config() {
    MemorySegment original = model.documents().get(Checkpoint.CONFIG);
    ObjectNode whole =
        original != null && JSON.readTree(original.toArray(DType.BYTE)) instanceof ObjectNode object
            ? object
            : JSON.createObjectNode().put("model_type", NO_FAMILY);
    Optional<TextPart> part = TextPart.of(new JsonFile(model.path(), "", whole));
    ObjectNode config = part.map(text -> (ObjectNode) text.config().node()).orElse(whole);
    if (part.isPresent()) {
      // the folder holds the language model alone
      config.put("tie_word_embeddings", !modules.containsKey(head().orElseThrow()));
    }
    config.remove("compression_config");
    config.remove("sparsity_config");
    config.remove("quantization_config");
    if (isParted) {
      config.put("tie_word_embeddings", false);
    }
    schemes.config(JSON).ifPresent(found -> config.set("quantization_config", found));
    return config;
  }

  /** Reads every layer from the file that was written and compares it bit by bit. */
  private void verify(Path file, ObjectNode config, Path folder) {
    try (Arena arena = Arena.ofConfined()) {
      LayerReader layers =
          new LayerReader(
              CheckpointTensors.map(folder, arena),
              QuantizationConfig.read(new JsonFile(folder.resolve(Checkpoint.CONFIG), "", config)),
              arena);
      for (Map.Entry<String, WeightMatrix> module : modules.entrySet()) {
        WeightMatrix matrix = module.getValue();
        Weights written = matrix.weights();
        boolean turned = isTurned(module.getKey(), matrix);
        Weights read = layers.linear(module.getKey(), written.rows(), written.columns(), turned);
        float[] expected = new float[written.columns()];
        float[] found = new float[written.columns()];
        for (int row = 0; row < written.rows(); row++) {
          written.unpackRow(row, expected, 0);
          read.unpackRow(row, found, 0);
          for (int column = 0; column < expected.length; column++) {
            if (Float.floatToRawIntBits(expected[column])
                != Float.floatToRawIntBits(found[column])) {
              throw new FormatException(
                  file
                      + ": layer "
                      + matrix.name()
                      + " reads back "
                      + found[column]
                      + " instead of "
                      + expected[column]
                      + " in row "
                      + row
                      + ", column "
                      + column,
                  "report this: the conversion would have lost something");
            }
          }
        }
      }
    }
  }

  private static void bytes(Path file, byte[] content) {
    AtomicFile.write(
        file,
        channel -> {
          ByteBuffer rest = ByteBuffer.wrap(content);
          while (rest.hasRemaining()) {
            channel.write(rest);
          }
        });
  }
}
