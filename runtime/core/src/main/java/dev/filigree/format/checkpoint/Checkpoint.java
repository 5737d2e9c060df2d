package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.UnsupportedException;
import dev.filigree.format.MappedFile;
import dev.filigree.graph.Graph;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A published checkpoint: a folder with {@code config.json} and safetensors files, as the Hugging
 * Face hub holds them. The family and its extents come from {@code config.json}, the weights from
 * the files, where they stay mapped. Compressed forms are read as they are: {@code dense}, {@code
 * sparse-bitmask}, {@code sparse-24-bitmask}, {@code int-}, {@code float-}, {@code naive-} and
 * {@code pack-quantized} and {@code marlin-24} of compressed-tensors, GPTQ, AWQ, floats of eight
 * bits, bitsandbytes and MXFP4. Of a network that reads pictures too the language model alone is
 * read. Immutable.
 *
 * @param graph of the network, with its weights
 * @param documents that came with it: the tokenizer and its config
 * @param metadata the family and the forms of its layers, and what was left out
 */
public record Checkpoint(
    Graph graph, Map<String, MemorySegment> documents, Map<String, String> metadata) {
  /** The file that makes a folder a checkpoint. */
  public static final String CONFIG = "config.json";

  /** Key of the model's family in {@link #metadata}. */
  public static final String FAMILY = "family";

  /** Key of the number of layers of each form in {@link #metadata}. */
  public static final String FORMS = "forms";

  /** Key of the longest text in {@link #metadata}, where a table of positions ends. */
  public static final String LONGEST = "longest";

  /** Key of the modules that are left out in {@link #metadata}, where a network reads pictures. */
  public static final String LEFT_OUT = "left out";

  /** Characters that names of families of one kind begin with alike, at least. */
  private static final int ALIKE = 4;

  private static final List<String> DOCUMENTS = List.of("tokenizer.json", CONFIG);

  /** Whether a folder is a checkpoint. */
  public static boolean is(Path folder) {
    return Files.isRegularFile(folder.resolve(CONFIG)) && CheckpointTensors.in(folder);
  }

  /**
   * Reads a folder.
   *
   * @param arena decides how long the weights live; owns those that had to be re-encoded
   * @throws FormatException if a file is missing or damaged, or config and weights contradict each
   *     other
   * @throws UnsupportedException if family, quantisation or layout is none Filigree knows; the
   *     message names the nearest supported
   */
  public static Checkpoint open(Path folder, Arena arena) {
    if (!Files.isDirectory(folder)) {
      throw new FormatException(folder + " is no folder", "pass the folder of a checkpoint");
    }
    if (!is(folder)) {
      throw new FormatException(
          folder + " holds no checkpoint",
          "it needs "
              + CONFIG
              + " and "
              + CheckpointTensors.SINGLE
              + " or "
              + CheckpointTensors.INDEX);
    }
    JsonFile whole = JsonFile.read(folder.resolve(CONFIG));
    Optional<TextPart> part = TextPart.of(whole);
    JsonFile config = part.map(TextPart::config).orElse(whole);
    String family =
        config
            .text("model_type")
            .orElseThrow(
                () ->
                    new FormatException(
                        config.file() + " does not say 'model_type'", "download it again"));
    if (family.equals(CheckpointWriter.NO_FAMILY)) {
      throw new UnsupportedException(
          folder + " holds the weights of a model without a config.json of its own, and no graph",
          "open the model that was converted, as .filigree or .onnx");
    }
    CheckpointTensors all = CheckpointTensors.map(folder, arena);
    CheckpointTensors mapped = part.map(text -> text.tensors(all)).orElse(all);
    CheckpointTensors tensors =
        Family.DECODERS.isKnown(family)
            ? StackedExperts.apart(mapped, Family.DECODERS.of(family, config))
            : mapped;
    LayerReader layers = new LayerReader(tensors, QuantizationConfig.read(whole), arena);
    Graph graph =
        Encoders.build(family, config, layers)
            .or(() -> Decoders.build(family, config, layers))
            .orElseThrow(() -> unknown(whole, family));
    Map<String, MemorySegment> documents = new LinkedHashMap<>();
    for (String name : DOCUMENTS) {
      Path file = folder.resolve(name);
      if (Files.isRegularFile(file)) {
        documents.put(name, MappedFile.map(file, arena));
      }
    }
    Map<String, String> metadata = new TreeMap<>();
    metadata.put(FAMILY, family);
    metadata.put(FORMS, forms(tensors, arena));
    part.map(text -> text.leftOut(all))
        .filter(modules -> !modules.isEmpty())
        .ifPresent(modules -> leaveOut(folder, modules, metadata));
    (Family.ENCODERS.isKnown(family) ? Family.ENCODERS : Family.DECODERS)
        .of(family, config)
        .longest()
        .ifPresent(longest -> metadata.put(LONGEST, longest.toString()));
    SentenceModules.pooling(folder).ifPresent(mode -> metadata.put(SentenceModules.POOLING, mode));
    return new Checkpoint(graph, documents, metadata);
  }

  private static void leaveOut(Path folder, String modules, Map<String, String> metadata) {
    metadata.put(LEFT_OUT, modules);
    System.getLogger("dev.filigree")
        .log(
            System.Logger.Level.INFO,
            folder + " is read as its language model, for text alone; left out: " + modules);
  }

  private static UnsupportedException unknown(JsonFile config, String family) {
    List<String> known = new ArrayList<>(Family.DECODERS.names());
    known.addAll(Family.ENCODERS.names());
    known.addAll(TextPart.networks());
    List<String> near =
        known.stream().filter(name -> common(name, family) >= ALIKE).distinct().toList();
    return new UnsupportedException(
        config.file() + " is of the family '" + family + "'",
        (near.isEmpty() ? "" : "the nearest by name are " + String.join(", ", near) + "; ")
            + "supported are the encoders "
            + String.join(", ", Family.ENCODERS.names())
            + ", the decoders "
            + String.join(", ", Family.DECODERS.names())
            + " and the language models of "
            + String.join(", ", TextPart.networks())
            + "; or export the model as ONNX");
  }

  /** Characters that two names begin with alike. */
  private static int common(String one, String other) {
    int same = 0;
    while (same < Math.min(one.length(), other.length())
        && one.charAt(same) == other.charAt(same)) {
      same++;
    }
    return same;
  }

  /** For example {@code dense 3, pack-quantized 36}. */
  private static String forms(CheckpointTensors tensors, Arena arena) {
    Map<String, Integer> counts = new TreeMap<>();
    for (String module : tensors.modules()) {
      LayerParts parts = new LayerParts(tensors, module, arena);
      Optional<LayerForm> form = LayerForm.of(parts);
      form.ifPresent(found -> counts.merge(found.label(parts), 1, Integer::sum));
    }
    StringBuilder text = new StringBuilder();
    counts.forEach(
        (form, count) ->
            text.append(text.isEmpty() ? "" : ", ").append(form).append(' ').append(count));
    return text.toString();
  }
}
