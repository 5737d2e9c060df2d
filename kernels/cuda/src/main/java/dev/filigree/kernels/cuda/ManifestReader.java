package dev.filigree.kernels.cuda;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads a manifest strictly: every key is known, every value has its type and range. */
final class ManifestReader {
  private static final int VERSION = 1;
  private static final int MOST_THREADS = 1024;

  /** Of a block on the largest device of compute capability 8.x or 9.x. */
  private static final int MOST_SHARED_BYTES = 227 * 1024;

  private static final int MOST_REGISTERS = 255;

  /** Compute capability 8.0: the first with sparse tensor cores. */
  private static final int OLDEST_ARCHITECTURE = 80;

  private static final Set<String> KEYS =
      Set.of(
          "entry",
          "ptx",
          "operation",
          "weights",
          "activation",
          "tile",
          "threads",
          "sharedBytes",
          "staticSharedBytes",
          "registers",
          "minimumArchitecture",
          "tokensFrom",
          "tokensTo",
          "grid",
          "parameters");

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private final JsonNode object;
  private final String where;

  private ManifestReader(JsonNode object, String where, Set<String> keys) {
    this.object = object;
    this.where = where;
    if (!object.isObject()) {
      throw problem("is no object");
    }
    for (String key : object.propertyNames()) {
      if (!keys.contains(key)) {
        throw problem("has the unknown key \"" + key + "\"");
      }
    }
  }

  static KernelManifest read(byte[] json) {
    JsonNode root;
    try {
      root = JSON.readTree(json);
    } catch (JacksonException e) {
      throw new ManifestException("is no JSON: " + e.getOriginalMessage());
    }
    ManifestReader manifest = new ManifestReader(root, "the file", Set.of("version", "kernels"));
    int version = manifest.integer("version", 0, Integer.MAX_VALUE);
    if (version != VERSION) {
      throw new ManifestException("version " + version + " is not version " + VERSION);
    }
    List<KernelEntry> entries = new ArrayList<>();
    for (JsonNode kernel : manifest.array("kernels")) {
      String where = "kernel " + entries.size();
      JsonNode name = kernel.path("entry");
      entries.add(
          new ManifestReader(kernel, name.isString() ? name.asString() : where, KEYS).kernel());
    }
    return new KernelManifest(entries);
  }

  private KernelEntry kernel() {
    int tokensFrom = has("tokensFrom") ? integer("tokensFrom", 1, Integer.MAX_VALUE) : 1;
    return new KernelEntry(
        identifier("entry"),
        ptx(),
        identifier("operation"),
        has("weights") ? Optional.of(weights()) : Optional.empty(),
        has("activation")
            ? Optional.of(choice("activation", ActivationType.values(), ActivationType::label))
            : Optional.empty(),
        has("tile") ? Optional.of(tile()) : Optional.empty(),
        integer("threads", 32, MOST_THREADS),
        integer("sharedBytes", 0, MOST_SHARED_BYTES),
        integer("staticSharedBytes", 0, MOST_SHARED_BYTES),
        integer("registers", 1, MOST_REGISTERS),
        integer("minimumArchitecture", OLDEST_ARCHITECTURE, 999),
        tokensFrom,
        has("tokensTo") ? integer("tokensTo", tokensFrom, Integer.MAX_VALUE) : Integer.MAX_VALUE,
        choice("grid", GridRule.values(), GridRule::label),
        parameters());
  }

  private WeightsForm weights() {
    ManifestReader weights = nested("weights", Set.of("structure", "values"));
    return new WeightsForm(
        weights.choice("structure", WeightsForm.Structure.values(), WeightsForm.Structure::label),
        weights.choice("values", WeightsForm.Values.values(), WeightsForm.Values::label));
  }

  private Tile tile() {
    ManifestReader tile = nested("tile", Set.of("out", "tokens", "k"));
    return new Tile(
        tile.integer("out", 1, 1024), tile.integer("tokens", 1, 1024), tile.integer("k", 1, 4096));
  }

  private List<Parameter> parameters() {
    List<Parameter> parameters = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (JsonNode node : array("parameters")) {
      ManifestReader parameter =
          new ManifestReader(
              node, where + ", parameter " + parameters.size(), Set.of("name", "type"));
      String name = parameter.identifier("name");
      if (!names.add(name)) {
        throw problem("takes " + name + " twice");
      }
      parameters.add(
          new Parameter(
              name, parameter.choice("type", Parameter.Type.values(), Parameter.Type::label)));
    }
    return parameters;
  }

  private String ptx() {
    String ptx = text("ptx");
    if (!ptx.matches("[a-z0-9_]+\\.ptx")) {
      throw problem("names \"" + ptx + "\" as its PTX");
    }
    return ptx;
  }

  private ManifestReader nested(String key, Set<String> keys) {
    return new ManifestReader(value(key), where + ", " + key, keys);
  }

  private boolean has(String key) {
    return object.has(key);
  }

  private JsonNode value(String key) {
    JsonNode value = object.get(key);
    if (value == null) {
      throw problem("has no \"" + key + "\"");
    }
    return value;
  }

  private JsonNode array(String key) {
    JsonNode value = value(key);
    if (!value.isArray()) {
      throw problem("has a \"" + key + "\" that is no array");
    }
    return value;
  }

  private int integer(String key, int least, int most) {
    JsonNode value = value(key);
    if (!value.isInt() || value.asInt() < least || value.asInt() > most) {
      throw problem(
          "has \"" + key + "\": " + value + ", which is no integer from " + least + " to " + most);
    }
    return value.asInt();
  }

  private String text(String key) {
    JsonNode value = value(key);
    if (!value.isString()) {
      throw problem("has \"" + key + "\": " + value + ", which is no text");
    }
    return value.asString();
  }

  private String identifier(String key) {
    String text = text(key);
    if (!text.matches("[A-Za-z][A-Za-z0-9_]*")) {
      throw problem("has \"" + key + "\": \"" + text + "\", which is no name");
    }
    return text;
  }

  private <T> T choice(String key, T[] values, Function<T, String> label) {
    String text = text(key);
    List<String> labels = new ArrayList<>();
    for (T value : values) {
      if (label.apply(value).equals(text)) {
        return value;
      }
      labels.add(label.apply(value));
    }
    throw problem("has \"" + key + "\": \"" + text + "\", which is none of " + labels);
  }

  private ManifestException problem(String text) {
    return new ManifestException(where + " " + text);
  }
}
