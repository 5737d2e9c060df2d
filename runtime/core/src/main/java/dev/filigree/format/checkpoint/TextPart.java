package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.UnsupportedException;
import dev.filigree.format.safetensors.SafetensorsFile.Entry;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.NullNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.node.StringNode;

/**
 * The language model of a network that reads pictures too, for texts alone: its config is an object
 * of the network's, or that one itself, and its tensors lie under a name of their own. What reads
 * pictures is left out.
 *
 * @param whole config of the network
 * @param config of the language model, as if it stood alone
 */
record TextPart(JsonFile whole, JsonFile config) {
  private static final String TEXT = "text_config";
  private static final String TYPE = "model_type";
  private static final String ARCHITECTURES = "architectures";

  /** Families of language models by the networks that have them, those first that need no name. */
  private static final Map<String, List<String>> NETWORKS =
      Map.of(
          "gemma3", List.of("gemma3_text"),
          "idefics3", List.of("llama"),
          "llava", List.of("llama", "mistral", "qwen2"),
          "llava_next", List.of("llama", "mistral", "qwen2"),
          "llava_onevision", List.of("qwen2"),
          "mistral3", List.of("mistral", "ministral3"),
          "qwen2_vl", List.of("qwen2_vl_text"),
          "qwen2_5_vl", List.of("qwen2_5_vl_text"),
          "qwen3_vl", List.of("qwen3_vl_text"),
          "smolvlm", List.of("llama"));

  /** What the names of the language model's tensors begin with, and what they would alone. */
  private static final Map<String, String> PREFIXES = new LinkedHashMap<>();

  static {
    PREFIXES.put("language_model.model.", "model.");
    PREFIXES.put("language_model.lm_head.", "lm_head.");
    PREFIXES.put("model.language_model.", "model.");
    PREFIXES.put("model.text_model.", "model.");
  }

  /** Names of the networks, sorted. */
  static List<String> networks() {
    return List.copyOf(new TreeSet<>(NETWORKS.keySet()));
  }

  /**
   * The language model of a config's network, if it is one of those.
   *
   * @throws UnsupportedException if the language model is of a family that the network's are not
   * @throws FormatException if the config does not describe it
   */
  static Optional<TextPart> of(JsonFile whole) {
    String network = whole.text(TYPE).orElse("");
    List<String> families = NETWORKS.get(network);
    if (families == null) {
      return Optional.empty();
    }
    Optional<JsonFile> own = whole.object(TEXT);
    boolean isFlat = own.isEmpty() && whole.has("hidden_size");
    if (own.isEmpty() && !isFlat) {
      throw new FormatException(
          whole.file() + " does not say '" + TEXT + "'", "download config.json again");
    }
    String first = families.getFirst();
    String named = own.flatMap(text -> text.text(TYPE)).orElse(first);
    // the first releases called the language model as the network
    String family = named.equals(network) ? first : named;
    if (!families.contains(family)) {
      throw new UnsupportedException(
          whole.file() + " has a language model of the family '" + family + "' in a " + network,
          "the nearest supported are " + String.join(", ", families));
    }
    JsonFile config = own.orElse(whole).with(TYPE, StringNode.valueOf(family));
    config = config.with(ARCHITECTURES, architectures(whole));
    if (!config.has("eos_token_id") && whole.has("eos_token_id")) {
      config = config.with("eos_token_id", whole.node().get("eos_token_id"));
    }
    // the head of the whole network bounds no logits
    return Optional.of(
        new TextPart(whole, config.with("final_logit_softcapping", NullNode.getInstance())));
  }

  /** Those of a network that writes text, or has no head. */
  private static JsonNode architectures(JsonFile whole) {
    ArrayNode as = ((ObjectNode) whole.node()).arrayNode();
    for (String name : whole.texts(ARCHITECTURES)) {
      boolean isHeadless = name.endsWith("Model");
      if (!isHeadless && !name.endsWith("ForConditionalGeneration")) {
        throw new UnsupportedException(
            whole.file() + " is of a '" + name + "', whose head also reads pictures",
            "the nearest supported are heads 'ForConditionalGeneration' and networks without one");
      }
      as.add(isHeadless ? name : "ForCausalLM");
    }
    return as;
  }

  /** The config of the language model, which is the whole one where a network reads no pictures. */
  static JsonFile configIn(JsonFile whole) {
    return of(whole).map(TextPart::config).orElse(whole);
  }

  /** The tensors of the language model, under the names they would have alone. */
  CheckpointTensors tensors(CheckpointTensors all) {
    Map<String, Entry> own = new LinkedHashMap<>();
    all.entries()
        .forEach(
            (name, entry) ->
                alone(name)
                    .ifPresent(
                        as ->
                            own.put(as, new Entry(as, entry.type(), entry.shape(), entry.data()))));
    return CheckpointTensors.of(own);
  }

  private static Optional<String> alone(String name) {
    for (Map.Entry<String, String> prefix : PREFIXES.entrySet()) {
      if (name.startsWith(prefix.getKey())) {
        return Optional.of(prefix.getValue() + name.substring(prefix.getKey().length()));
      }
    }
    return name.matches("lm_head\\..*|model\\.(embed_tokens|layers|norm)\\..*")
        ? Optional.of(name)
        : Optional.empty();
  }

  /** The modules that are left out, for example {@code multi_modal_projector, vision_tower}. */
  String leftOut(CheckpointTensors all) {
    TreeSet<String> modules = new TreeSet<>();
    for (String name : all.entries().keySet()) {
      if (alone(name).isEmpty()) {
        String inside = name.startsWith("model.") ? name.substring("model.".length()) : name;
        modules.add(inside.replaceFirst("\\..*", ""));
      }
    }
    return String.join(", ", modules);
  }
}
