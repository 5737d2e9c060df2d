package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Recipes as JSON, with the field names of llm-compressor where it has them:
 *
 * <pre>
 *   {"version": 1, "name": "mine", "stages": [
 *     {"prune":    {"method": "magnitude", "mask_structure": "2:4", "targets": ["Linear"], "ignore": []}},
 *     {"prune":    {"method": "magnitude", "mask_structure": "unstructured", "sparsity": 0.8}},
 *     {"quantize": {"bits": 8, "strategy": "channel", "targets": ["Linear", "Embedding"]}},
 *     {"share":    {"bits": 4, "granularity": "row"}},
 *     {"convert":  {"dtype": "f16"}}]}
 * </pre>
 *
 * Unknown keys are refused: a misspelt option must not do nothing.
 */
public final class RecipeJson {
  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private RecipeJson() {}

  /**
   * Reads a recipe file.
   *
   * @throws FormatException if it cannot be read or is no recipe
   * @throws InputException if it asks for something impossible
   */
  public static Recipe read(Path file) {
    try {
      return parse(file.toString(), Files.readString(file));
    } catch (IOException unreadable) {
      throw new FormatException(
          "recipe " + file + " cannot be read (" + unreadable.getMessage() + ")",
          "pass the path of a recipe file, or one of " + String.join(", ", Recipe.names()),
          unreadable);
    }
  }

  /**
   * Parses a recipe.
   *
   * @param source named in messages
   */
  public static Recipe parse(String source, String text) {
    JsonNode root;
    try {
      root = JSON.readTree(text);
    } catch (JacksonException malformed) {
      throw new FormatException(
          source + " is no valid JSON: " + malformed.getOriginalMessage(),
          "correct the recipe",
          malformed);
    }
    keys(source, root, Set.of("version", "name", "stages"));
    JsonNode version = root.path("version");
    if (!version.isInt() || version.asInt() != 1 || !root.path("stages").isArray()) {
      throw new FormatException(
          source + " has no \"version\": 1 or no list of \"stages\"", "write both");
    }
    List<Stage> stages = new ArrayList<>();
    for (JsonNode stage : root.get("stages")) {
      stages.add(stage(source + ", stage " + (stages.size() + 1), stage));
    }
    return new Recipe(text(source, root, "name", source), stages);
  }

  private static Stage stage(String place, JsonNode node) {
    if (!node.isObject() || node.size() != 1) {
      throw new FormatException(
          place + " is no object with one key", "write {\"prune\": {...}} or the like");
    }
    String kind = node.propertyNames().iterator().next();
    JsonNode body = node.get(kind);
    return switch (kind) {
      case "prune" -> {
        keys(place, body, Set.of("method", "mask_structure", "sparsity", "targets", "ignore"));
        String method = text(place, body, "method", "magnitude");
        if (!method.equals("magnitude")) {
          throw new InputException(
              place + ": the pruning method '" + method + "' is not supported yet",
              "use magnitude");
        }
        JsonNode sparsity = body.get("sparsity");
        yield new Stage.Prune(
            Stage.Score.MAGNITUDE,
            Structure.of(
                text(place, body, "mask_structure", "2:4"),
                sparsity == null ? null : number(place, "sparsity", sparsity)),
            targets(place, body));
      }
      case "quantize" -> {
        keys(place, body, Set.of("bits", "strategy", "targets", "ignore"));
        String strategy = text(place, body, "strategy", "channel");
        if (!strategy.equals("channel")) {
          throw new InputException(
              place + ": the strategy '" + strategy + "' is not supported yet", "use channel");
        }
        yield new Stage.Quantize(whole(place, body, "bits", 8), targets(place, body));
      }
      case "share" -> {
        keys(place, body, Set.of("bits", "granularity", "targets", "ignore"));
        String granularity = text(place, body, "granularity", "row");
        if (!granularity.equals("row") && !granularity.equals("tensor")) {
          throw new InputException(
              place + ": the granularity '" + granularity + "' is not supported",
              "use row or tensor");
        }
        yield new Stage.Share(
            whole(place, body, "bits", 4), granularity.equals("row"), targets(place, body));
      }
      case "convert" -> {
        keys(place, body, Set.of("dtype", "targets", "ignore"));
        yield new Stage.Convert(
            dtype(place, text(place, body, "dtype", "f16")), targets(place, body));
      }
      default ->
          throw new FormatException(
              place + " has the unknown kind '" + kind + "'",
              "use prune, quantize, share or convert");
    };
  }

  private static DType dtype(String place, String name) {
    return switch (name) {
      case "f16" -> DType.F16;
      case "bf16" -> DType.BF16;
      default -> throw new InputException(place + " converts to '" + name + "'", "use f16 or bf16");
    };
  }

  private static Targets targets(String place, JsonNode body) {
    return new Targets(texts(place, body, "targets"), texts(place, body, "ignore"));
  }

  private static List<String> texts(String place, JsonNode body, String key) {
    JsonNode list = body.get(key);
    if (list == null) {
      return null;
    }
    if (!list.isArray()) {
      throw new FormatException(
          place + " has a \"" + key + "\" that is no list", "write [\"...\"]");
    }
    List<String> texts = new ArrayList<>();
    for (JsonNode entry : list) {
      if (!entry.isString()) {
        throw new FormatException(place + " has a \"" + key + "\" that is no text", "write texts");
      }
      texts.add(entry.asString());
    }
    return texts;
  }

  private static String text(String place, JsonNode body, String key, String otherwise) {
    JsonNode value = body.get(key);
    if (value != null && !value.isString()) {
      throw new FormatException(place + " has a \"" + key + "\" that is no text", "write a text");
    }
    return value == null ? otherwise : value.asString();
  }

  private static int whole(String place, JsonNode body, String key, int otherwise) {
    JsonNode value = body.get(key);
    if (value != null && !value.isInt()) {
      throw new FormatException(
          place + " has a \"" + key + "\" that is no whole number", "write a whole number");
    }
    return value == null ? otherwise : value.asInt();
  }

  private static Double number(String place, String key, JsonNode value) {
    if (!value.isNumber()) {
      throw new FormatException(
          place + " has a \"" + key + "\" that is no number", "write a number");
    }
    return value.asDouble();
  }

  private static void keys(String place, JsonNode node, Set<String> known) {
    if (!node.isObject()) {
      throw new FormatException(place + " is no JSON object", "write {...}");
    }
    for (String key : node.propertyNames()) {
      if (!known.contains(key)) {
        throw new FormatException(
            place + " has the unknown key \"" + key + "\"",
            "known are " + String.join(", ", known.stream().sorted().toList()));
      }
    }
  }

  /** A recipe as JSON text. */
  public static String write(Recipe recipe) {
    ObjectNode root = JSON.createObjectNode().put("version", 1).put("name", recipe.name());
    ArrayNode stages = root.putArray("stages");
    for (Stage stage : recipe.stages()) {
      ObjectNode body = JSON.createObjectNode();
      switch (stage) {
        case Stage.Prune prune -> {
          body.put("method", prune.score().name().toLowerCase(Locale.ROOT));
          body.put("mask_structure", prune.structure().label());
          if (prune.structure() instanceof Structure.Unstructured(double sparsity)) {
            body.put("sparsity", sparsity);
          }
          stages.addObject().set("prune", body);
        }
        case Stage.Quantize quantize -> {
          body.put("bits", quantize.bits()).put("strategy", "channel");
          stages.addObject().set("quantize", body);
        }
        case Stage.Share share -> {
          body.put("bits", share.bits()).put("granularity", share.perRow() ? "row" : "tensor");
          stages.addObject().set("share", body);
        }
        case Stage.Convert convert -> {
          body.put("dtype", convert.dtype().toString());
          stages.addObject().set("convert", body);
        }
      }
      stage.targets().targets().forEach(body.putArray("targets")::add);
      if (!stage.targets().ignore().isEmpty()) {
        stage.targets().ignore().forEach(body.putArray("ignore")::add);
      }
    }
    return root.toString();
  }
}
