package dev.filigree.format.checkpoint;

import dev.filigree.UnsupportedException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.node.StringNode;

/**
 * What {@code config.json} says of the form of the weights: the objects {@code quantization_config}
 * and {@code sparsity_config} of compressed-tensors (also under its older names), GPTQ, AWQ, 8-bit
 * floats and bitsandbytes. Immutable.
 *
 * @param method who wrote the weights
 * @param format of the quantised layers as the file names it, if it does
 * @param groups schemes and the layers they are for, in the file's order
 * @param ignored layers that stay as they are
 * @param sparsity form of the sparse layers
 * @param denseStream whether words of packed integers are filled without gaps
 * @param zeroOffset what GPTQ's zero points are stored less by
 */
record QuantizationConfig(
    Method method,
    Optional<Format> format,
    List<Group> groups,
    Targets ignored,
    Optional<Sparsity> sparsity,
    boolean denseStream,
    int zeroOffset) {
  /** Tools that define a layout. */
  enum Method {
    COMPRESSED_TENSORS,
    GPTQ,
    AWQ,
    /** AutoRound, whose layers are packed as GPTQ's or AWQ's. */
    AUTO_ROUND,
    /** Floats of eight bits by block, as DeepSeek and Qwen publish them. */
    FP8,
    /** Floats of eight bits by row. */
    FBGEMM_FP8,
    /** NVIDIA's tool, of whose formats the floats of eight bits are read. */
    MODELOPT,
    BITSANDBYTES,
    /** Floats of four bits whose blocks of 32 share an exponent, as gpt-oss has them. */
    MXFP4
  }

  /** Layouts of quantised layers in compressed-tensors. */
  enum Format {
    DENSE,
    SPARSE_BITMASK,
    SPARSE_24_BITMASK,
    INT_QUANTIZED,
    FLOAT_QUANTIZED,
    NAIVE_QUANTIZED,
    PACK_QUANTIZED,
    MARLIN_24,
    MIXED_PRECISION
  }

  /** Layouts of sparse layers in compressed-tensors. */
  enum Sparsity {
    DENSE,
    SPARSE_BITMASK,
    SPARSE_24_BITMASK
  }

  /**
   * A scheme and the layers it is for.
   *
   * @param targets the layers
   * @param scheme how their weights are quantised
   * @param format of these layers, where it is not that of the whole
   */
  record Group(Targets targets, Scheme scheme, Optional<Format> format) {}

  /** Releases from this one on fill words of packed integers without gaps. */
  private static final int[] DENSE_STREAM = {0, 18};

  private static final QuantizationConfig NONE =
      new QuantizationConfig(
          Method.COMPRESSED_TENSORS,
          Optional.empty(),
          List.of(),
          Targets.NONE,
          Optional.empty(),
          false,
          0);

  /**
   * Reads the config.
   *
   * @param config the whole {@code config.json}
   * @throws UnsupportedException if it names a method or format that is not among those above
   */
  static QuantizationConfig read(JsonFile config) {
    Optional<JsonFile> quantization =
        config.object("quantization_config").or(() -> config.object("compression_config"));
    Optional<JsonFile> sparsity =
        quantization
            .flatMap(owner -> owner.object("sparsity_config"))
            .or(() -> config.object("sparsity_config"));
    Optional<Sparsity> sparse = sparsity.flatMap(owner -> owner.choice("format", Sparsity.class));
    if (quantization.isEmpty()) {
      quantization = beside(config);
    }
    if (quantization.isEmpty()) {
      return new QuantizationConfig(
          NONE.method, NONE.format, NONE.groups, NONE.ignored, sparse, false, 0);
    }
    JsonFile owner = quantization.get();
    return switch (owner.choice("quant_method", Method.class).orElse(Method.COMPRESSED_TENSORS)) {
      case COMPRESSED_TENSORS -> compressedTensors(owner, sparse);
      case GPTQ -> gptq(owner);
      case AWQ -> awq(owner);
      case AUTO_ROUND -> autoRound(owner);
      case FP8 -> floats(Method.FP8, owner);
      case FBGEMM_FP8 -> floats(Method.FBGEMM_FP8, owner);
      case MODELOPT -> modelopt(owner);
      // each layer says itself how it is made
      case BITSANDBYTES -> byTensors(Method.BITSANDBYTES);
      case MXFP4 -> byTensors(Method.MXFP4);
    };
  }

  private static QuantizationConfig byTensors(Method method) {
    return new QuantizationConfig(
        method, NONE.format, NONE.groups, NONE.ignored, NONE.sparsity, false, 0);
  }

  /** Early tools of GPTQ and AWQ wrote a file of their own beside the config. */
  private static Optional<JsonFile> beside(JsonFile config) {
    Map<String, String> files = Map.of("quantize_config.json", "gptq", "quant_config.json", "awq");
    return files.entrySet().stream()
        .filter(file -> Files.isRegularFile(config.file().resolveSibling(file.getKey())))
        .findFirst()
        .map(
            file ->
                JsonFile.read(config.file().resolveSibling(file.getKey()))
                    .with("quant_method", StringNode.valueOf(file.getValue())));
  }

  private static QuantizationConfig compressedTensors(JsonFile owner, Optional<Sparsity> sparsity) {
    List<Group> groups = new ArrayList<>();
    for (JsonFile group : owner.members("config_groups")) {
      Optional<Format> format = group.choice("format", Format.class);
      group
          .object("weights")
          .ifPresent(
              weights ->
                  groups.add(
                      new Group(Targets.read(group, "targets"), Scheme.read(weights), format)));
    }
    return new QuantizationConfig(
        Method.COMPRESSED_TENSORS,
        owner.choice("format", Format.class),
        List.copyOf(groups),
        Targets.read(owner, "ignore"),
        sparsity,
        isAtLeast(owner.text("version").orElse(""), DENSE_STREAM),
        0);
  }

  private static QuantizationConfig gptq(JsonFile owner) {
    int bits = owner.required("bits", 2, 8);
    int group = owner.number("group_size", -1, 1 << 24).orElse(-1);
    boolean second = owner.text("checkpoint_format").orElse("gptq").equals("gptq_v2");
    boolean symmetric = owner.flag("sym", true);
    QuantizationConfig all =
        single(Method.GPTQ, owner, Scheme.integers(bits, group, symmetric), second ? 0 : 1);
    List<Group> groups = new ArrayList<>();
    // patterns of layers with bits or groups of their own; "-:" are those that stay as they are
    for (JsonFile rule : owner.members("dynamic")) {
      String pattern = rule.path().substring(rule.path().lastIndexOf("dynamic.") + 8);
      if (!pattern.startsWith("-:")) {
        Scheme scheme =
            Scheme.integers(
                rule.number("bits", 2, 8).orElse(bits),
                rule.number("group_size", -1, 1 << 24).orElse(group),
                rule.flag("sym", symmetric));
        String own = pattern.startsWith("+:") ? pattern.substring(2) : pattern;
        groups.add(new Group(Targets.matching(owner, own), scheme, Optional.empty()));
      }
    }
    groups.addAll(all.groups);
    return new QuantizationConfig(
        all.method, all.format, groups, all.ignored, all.sparsity, all.denseStream, all.zeroOffset);
  }

  private static QuantizationConfig autoRound(JsonFile owner) {
    String packing = owner.text("packing_format").orElse("auto_round:auto_gptq");
    if (packing.endsWith("gptq")) {
      return gptq(owner);
    }
    if (packing.endsWith("awq")) {
      return awq(owner);
    }
    throw new UnsupportedException(
        owner.file() + " has weights of AutoRound packed as '" + packing + "'",
        "the nearest supported are auto_round:auto_gptq and auto_round:auto_awq");
  }

  private static QuantizationConfig modelopt(JsonFile owner) {
    String algorithm = owner.text("quant_algo").orElse("FP8");
    if (!algorithm.equals("FP8")) {
      throw new UnsupportedException(
          owner.file() + " has weights of ModelOpt's '" + algorithm + "'",
          "the nearest supported is FP8");
    }
    return floats(Method.MODELOPT, owner);
  }

  private static QuantizationConfig floats(Method method, JsonFile owner) {
    return single(method, owner, Scheme.floats(owner), 0);
  }

  private static QuantizationConfig awq(JsonFile owner) {
    int bits = owner.number("bits", 1, 8).or(() -> owner.number("w_bit", 1, 8)).orElse(4);
    String version = owner.text("version").orElse("gemm");
    if (bits != 4 || !version.equalsIgnoreCase("gemm")) {
      throw new UnsupportedException(
          owner.file() + " has AWQ weights of " + bits + " bits in the layout '" + version + "'",
          "the nearest supported form is 4 bits in the layout 'gemm'");
    }
    int group =
        owner
            .number("group_size", -1, 1 << 24)
            .or(() -> owner.number("q_group_size", -1, 1 << 24))
            .orElse(128);
    return single(
        Method.AWQ, owner, Scheme.integers(bits, group, !owner.flag("zero_point", true)), 0);
  }

  private static QuantizationConfig single(
      Method method, JsonFile owner, Scheme scheme, int zeroOffset) {
    Targets all = new Targets(List.of("Linear"), List.of());
    return new QuantizationConfig(
        method,
        Optional.empty(),
        List.of(new Group(all, scheme, Optional.empty())),
        Targets.read(owner, "modules_to_not_convert"),
        Optional.empty(),
        true,
        zeroOffset);
  }

  private static boolean isAtLeast(String version, int[] least) {
    String[] parts = version.split("\\.");
    for (int i = 0; i < least.length; i++) {
      int part =
          i < parts.length && parts[i].matches("[0-9]{1,6}") ? Integer.parseInt(parts[i]) : 0;
      if (part != least[i]) {
        return part > least[i];
      }
    }
    return true;
  }

  /** The group a layer belongs to: one that names it goes before one for all linear layers. */
  Optional<Group> group(String module) {
    return groups.stream()
        .filter(group -> group.targets.name(module))
        .findFirst()
        .or(() -> groups.stream().filter(group -> group.targets.cover(module)).findFirst());
  }

  /** Rows and columns of a layer's blocks. */
  int[] block(String module) {
    return group(module).map(group -> group.scheme().block()).orElse(new int[] {128, 128});
  }
}
