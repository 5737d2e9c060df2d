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
 *     {"prune":    {"method": "sparsegpt", "mask_structure": "unstructured", "sparsity": 0.8,
 *                   "scope": "row", "refit": true, "bias_correction": true, "dampening_frac": 0.01}},
 *     {"quantize": {"bits": 8, "strategy": "channel", "targets": ["Linear", "Embedding"]}},
 *     {"quantize": {"bits": 4, "strategy": "group", "group_size": 64, "observer": "mse",
 *                   "method": "gptq", "actorder": true, "refit": true}},
 *     {"share":    {"bits": 4, "granularity": "row", "weights": "hessian-diag", "solver": "exact"}},
 *     {"convert":  {"dtype": "f16"}}]}
 *   and between pruning and encoding
 *     {"distill":  {"block_epochs": 4, "block_rate": 5e-4, "model_epochs": 1, "model_rate": 1e-4}}
 * </pre>
 *
 * Unknown keys are refused: a misspelt option must not do nothing.
 */
public final class RecipeJson {
  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private static final String EXACT = "exact";

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
      case "prune" -> prune(place, body);
      case "quantize" -> quantize(place, body);
      case "share" -> share(place, body);
      case "distill" -> DistillJson.read(place, body);
      case "convert" -> {
        keys(place, body, Set.of("dtype", "targets", "ignore"));
        yield new Stage.Convert(
            dtype(place, text(place, body, "dtype", "f16")), targets(place, body));
      }
      default ->
          throw new FormatException(
              place + " has the unknown kind '" + kind + "'",
              "use prune, distill, quantize, share or convert");
    };
  }

  private static Stage prune(String place, JsonNode body) {
    keys(
        place,
        body,
        Set.of(
            "method",
            "mask_structure",
            "sparsity",
            "scope",
            "refit",
            "bias_correction",
            "dampening_frac",
            "permute",
            "fold_batchnorm",
            "targets",
            "ignore"));
    String permute = text(place, body, "permute", "none");
    if (!permute.equals("none") && !permute.equals("swap")) {
      throw new InputException(
          place + ": the permute '" + permute + "' is not supported", "use none or swap");
    }
    JsonNode sparsity = body.get("sparsity");
    return new Stage.Prune(
        choice(place, body, "method", Stage.Score.MAGNITUDE),
        Structure.of(
            text(place, body, "mask_structure", "2:4"),
            sparsity == null ? null : number(place, "sparsity", sparsity),
            body.has("scope") ? choice(place, body, "scope", Structure.Scope.LAYER) : null),
        flag(place, body, "refit"),
        flag(place, body, "bias_correction"),
        damping(place, body),
        permute.equals("swap"),
        !body.has("fold_batchnorm") || flag(place, body, "fold_batchnorm"),
        targets(place, body));
  }

  private static Stage quantize(String place, JsonNode body) {
    keys(
        place,
        body,
        Set.of(
            "bits",
            "strategy",
            "group_size",
            "observer",
            "method",
            "actorder",
            "refit",
            "dampening_frac",
            "targets",
            "ignore"));
    String strategy = text(place, body, "strategy", "channel");
    int group = whole(place, body, "group_size", 0);
    Encoding.Granularity granularity =
        switch (strategy) {
          case "tensor" -> Encoding.Granularity.TENSOR;
          case "channel" -> Encoding.Granularity.ROW;
          case "group" -> Encoding.Granularity.GROUP;
          default ->
              throw new InputException(
                  place + ": the strategy '" + strategy + "' is not supported",
                  "use tensor, channel or group");
        };
    if (granularity == Encoding.Granularity.GROUP ? group < 1 : body.has("group_size")) {
      throw new InputException(
          place + ": the strategy " + strategy + " with a group_size of " + group,
          "give the strategy group a positive group_size, the others none");
    }
    String observer = text(place, body, "observer", "minmax");
    if (!observer.equals("minmax") && !observer.equals("mse")) {
      throw new InputException(
          place + ": the observer '" + observer + "' is not supported", "use minmax or mse");
    }
    return new Stage.Quantize(
        new Encoding.Integers(
            whole(place, body, "bits", 8), granularity, group, observer.equals("mse")),
        rounding(place, body),
        flag(place, body, "actorder"),
        flag(place, body, "refit"),
        damping(place, body),
        targets(place, body));
  }

  private static Stage share(String place, JsonNode body) {
    keys(
        place,
        body,
        Set.of(
            "bits", "granularity", "weights", "solver", "restarts", "method", "targets", "ignore"));
    String granularity = text(place, body, "granularity", "row");
    if (!granularity.equals("row") && !granularity.equals("tensor")) {
      throw new InputException(
          place + ": the granularity '" + granularity + "' is not supported", "use row or tensor");
    }
    String weights = text(place, body, "weights", "none");
    if (!weights.equals("none") && !weights.equals("hessian-diag")) {
      throw new InputException(
          place + ": the weights '" + weights + "' are not supported",
          "use none or hessian-diag, the mean square of each input");
    }
    String solver = text(place, body, "solver", EXACT);
    Lloyd.Start start =
        switch (solver) {
          case EXACT -> null;
          case "linear" -> Lloyd.Start.LINEAR;
          case "density" -> Lloyd.Start.DENSITY;
          case "random" -> Lloyd.Start.RANDOM;
          case "k-means++" -> Lloyd.Start.PLUS_PLUS;
          default ->
              throw new InputException(
                  place + ": the solver '" + solver + "' is not supported",
                  "use exact, linear, density, random or k-means++");
        };
    int restarts = whole(place, body, "restarts", 1);
    if (restarts < 1
        || restarts > 1 && start != Lloyd.Start.RANDOM && start != Lloyd.Start.PLUS_PLUS) {
      throw new InputException(
          place + ": " + restarts + " restarts of the solver " + solver,
          "restart random or k-means++; the others end where they did before");
    }
    return new Stage.Share(
        new Encoding.Codes(
            whole(place, body, "bits", 4),
            granularity.equals("row") ? Encoding.Granularity.ROW : Encoding.Granularity.TENSOR,
            start,
            restarts),
        weights.equals("hessian-diag"),
        rounding(place, body),
        targets(place, body));
  }

  private static Stage.Rounding rounding(String place, JsonNode body) {
    String method = text(place, body, "method", "rtn");
    return switch (method) {
      case "rtn" -> Stage.Rounding.NEAREST;
      case "gptq" -> Stage.Rounding.GPTQ;
      default ->
          throw new InputException(
              place + ": the method '" + method + "' is not supported", "use rtn or gptq");
    };
  }

  private static double damping(String place, JsonNode body) {
    JsonNode value = body.get("dampening_frac");
    return value == null ? Stage.DAMPING : number(place, "dampening_frac", value);
  }

  private static boolean flag(String place, JsonNode body, String key) {
    JsonNode value = body.get(key);
    if (value != null && !value.isBoolean()) {
      throw new FormatException(
          place + " has a \"" + key + "\" that is neither true nor false", "write true or false");
    }
    return value != null && value.asBoolean();
  }

  /** One of an enumeration's constants, by its name in lower case. */
  private static <E extends Enum<E>> E choice(
      String place, JsonNode body, String key, E otherwise) {
    String name = text(place, body, key, otherwise.name().toLowerCase(Locale.ROOT));
    List<String> names = new ArrayList<>();
    for (E constant : otherwise.getDeclaringClass().getEnumConstants()) {
      String own = constant.name().toLowerCase(Locale.ROOT);
      if (own.equals(name)) {
        return constant;
      }
      names.add(own);
    }
    throw new InputException(
        place + ": the " + key + " '" + name + "' is not supported",
        "use one of " + String.join(", ", names));
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

  static int whole(String place, JsonNode body, String key, int otherwise) {
    JsonNode value = body.get(key);
    if (value != null && !value.isInt()) {
      throw new FormatException(
          place + " has a \"" + key + "\" that is no whole number", "write a whole number");
    }
    return value == null ? otherwise : value.asInt();
  }

  static Double number(String place, String key, JsonNode value) {
    if (!value.isNumber()) {
      throw new FormatException(
          place + " has a \"" + key + "\" that is no number", "write a number");
    }
    return value.asDouble();
  }

  static void keys(String place, JsonNode node, Set<String> known) {
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
          write(body, prune);
          stages.addObject().set("prune", body);
        }
        case Stage.Quantize quantize -> {
          write(body, quantize);
          stages.addObject().set("quantize", body);
        }
        case Stage.Share share -> {
          write(body, share);
          stages.addObject().set("share", body);
        }
        case Stage.Distill distill -> {
          DistillJson.write(body, distill.options());
          stages.addObject().set("distill", body);
          continue;
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

  private static void write(ObjectNode body, Stage.Prune prune) {
    body.put("method", prune.score().name().toLowerCase(Locale.ROOT));
    switch (prune.structure()) {
      case Structure.Groups groups -> body.put("mask_structure", groups.label());
      case Structure.Unstructured(double sparsity, Structure.Scope scope) ->
          body.put("mask_structure", "unstructured")
              .put("sparsity", sparsity)
              .put("scope", scope.name().toLowerCase(Locale.ROOT));
      case Structure.Block(int rows, int columns, double sparsity) ->
          body.put("mask_structure", "block " + rows + "x" + columns).put("sparsity", sparsity);
    }
    if (!prune.folded()) {
      body.put("fold_batchnorm", false);
    }
    if (prune.permute()) {
      body.put("permute", "swap");
    }
    if (prune.needsCalibration()) {
      body.put("refit", prune.refit())
          .put("bias_correction", prune.biasCorrection())
          .put("dampening_frac", prune.damping());
    }
  }

  private static void write(ObjectNode body, Stage.Quantize quantize) {
    Encoding.Integers encoding = quantize.encoding();
    body.put("bits", encoding.bits());
    switch (encoding.granularity()) {
      case TENSOR -> body.put("strategy", "tensor");
      case ROW -> body.put("strategy", "channel");
      case GROUP -> body.put("strategy", "group").put("group_size", encoding.group());
    }
    body.put("observer", encoding.searched() ? "mse" : "minmax");
    write(body, quantize.rounding());
    if (quantize.needsCalibration()) {
      body.put("actorder", quantize.byImportance())
          .put("refit", quantize.refit())
          .put("dampening_frac", quantize.damping());
    }
  }

  private static void write(ObjectNode body, Stage.Share share) {
    Encoding.Codes codes = share.encoding();
    body.put("bits", codes.bits())
        .put("granularity", codes.granularity().name().toLowerCase(Locale.ROOT))
        .put("weights", share.weighted() ? "hessian-diag" : "none")
        .put(
            "solver",
            switch (codes.start()) {
              case null -> EXACT;
              case LINEAR -> "linear";
              case DENSITY -> "density";
              case RANDOM -> "random";
              case PLUS_PLUS -> "k-means++";
            })
        .put("restarts", codes.restarts());
    write(body, share.rounding());
  }

  private static void write(ObjectNode body, Stage.Rounding rounding) {
    body.put("method", rounding == Stage.Rounding.GPTQ ? "gptq" : "rtn");
  }
}
