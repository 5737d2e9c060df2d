package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;

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
 *     {"share":    {"bits": "auto", "error": 0.05}},
 *     {"share":    {"bits": 4, "granularity": "group", "group_size": 8}},
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

  /** The solver that needs no start. */
  static final String EXACT = "exact";

  /** Bits that are chosen for each layer. */
  static final String AUTO = "auto";

  /** The error that they stay below if none is given. */
  private static final double AUTO_ERROR = 0.1;

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
      String why =
          switch (unreadable) {
            case NoSuchFileException missing -> " does not exist";
            case CharacterCodingException binary -> " is no text in UTF-8";
            default -> " cannot be read (" + unreadable.getMessage() + ")";
          };
      throw new FormatException(
          "recipe " + file + why,
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
    JsonFields.keys(source, root, Set.of("version", "name", "stages"));
    JsonNode version = root.path("version");
    if (!version.isInt() || version.asInt() != 1 || !root.path("stages").isArray()) {
      throw new FormatException(
          source + " has no \"version\": 1 or no list of \"stages\"", "write both");
    }
    List<Stage> stages = new ArrayList<>();
    for (JsonNode stage : root.get("stages")) {
      stages.add(stage(source + ", stage " + (stages.size() + 1), stage));
    }
    return new Recipe(JsonFields.text(source, root, "name", source), stages);
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
        JsonFields.keys(place, body, Set.of("dtype", "targets", "ignore"));
        yield new Stage.Convert(
            dtype(place, JsonFields.text(place, body, "dtype", "f16")), targets(place, body));
      }
      default ->
          throw new FormatException(
              place + " has the unknown kind '" + kind + "'",
              "use prune, distill, quantize, share or convert");
    };
  }

  private static Stage prune(String place, JsonNode body) {
    JsonFields.keys(
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
    String permute = JsonFields.text(place, body, "permute", "none");
    if (!permute.equals("none") && !permute.equals("swap")) {
      throw new InputException(
          place + ": the permute '" + permute + "' is not supported", "use none or swap");
    }
    JsonNode sparsity = body.get("sparsity");
    return new Stage.Prune(
        JsonFields.choice(place, body, "method", Stage.Score.MAGNITUDE),
        Structure.of(
            JsonFields.text(place, body, "mask_structure", "2:4"),
            sparsity == null ? null : JsonFields.number(place, "sparsity", sparsity),
            body.has("scope")
                ? JsonFields.choice(place, body, "scope", Structure.Scope.LAYER)
                : null),
        JsonFields.flag(place, body, "refit"),
        JsonFields.flag(place, body, "bias_correction"),
        damping(place, body),
        permute.equals("swap"),
        !body.has("fold_batchnorm") || JsonFields.flag(place, body, "fold_batchnorm"),
        targets(place, body));
  }

  private static Stage quantize(String place, JsonNode body) {
    JsonFields.keys(
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
    String strategy = JsonFields.text(place, body, "strategy", "channel");
    int group = JsonFields.whole(place, body, "group_size", 0);
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
    String observer = JsonFields.text(place, body, "observer", "minmax");
    if (!observer.equals("minmax") && !observer.equals("mse")) {
      throw new InputException(
          place + ": the observer '" + observer + "' is not supported", "use minmax or mse");
    }
    return new Stage.Quantize(
        new Encoding.Integers(
            JsonFields.whole(place, body, "bits", 8), granularity, group, observer.equals("mse")),
        rounding(place, body),
        JsonFields.flag(place, body, "actorder"),
        JsonFields.flag(place, body, "refit"),
        damping(place, body),
        targets(place, body));
  }

  private static Stage share(String place, JsonNode body) {
    JsonFields.keys(
        place,
        body,
        Set.of(
            "bits",
            "granularity",
            "group_size",
            "weights",
            "solver",
            "restarts",
            "error",
            "method",
            "targets",
            "ignore"));
    Encoding.Granularity granularity =
        body.has("granularity")
            ? JsonFields.choice(place, body, "granularity", Encoding.Granularity.ROW)
            : Encoding.Granularity.ROW;
    String weights = JsonFields.text(place, body, "weights", "none");
    if (!weights.equals("none") && !weights.equals("hessian-diag")) {
      throw new InputException(
          place + ": the weights '" + weights + "' are not supported",
          "use none or hessian-diag, the mean square of each input");
    }
    String solver = JsonFields.text(place, body, "solver", EXACT);
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
    int restarts = JsonFields.whole(place, body, "restarts", 1);
    if (restarts < 1
        || restarts > 1 && start != Lloyd.Start.RANDOM && start != Lloyd.Start.PLUS_PLUS) {
      throw new InputException(
          place + ": " + restarts + " restarts of the solver " + solver,
          "restart random or k-means++; the others end where they did before");
    }
    JsonNode error = body.get("error");
    boolean isAuto = body.path("bits").isString() && body.get("bits").asString().equals(AUTO);
    return new Stage.Share(
        new Encoding.Codes(
            isAuto ? Encoding.Codes.AUTO : JsonFields.whole(place, body, "bits", 4),
            granularity,
            JsonFields.whole(place, body, "group_size", 0),
            start,
            restarts,
            error == null
                ? isAuto ? AUTO_ERROR : Double.NaN
                : JsonFields.number(place, "error", error)),
        weights.equals("hessian-diag"),
        rounding(place, body),
        targets(place, body));
  }

  private static Stage.Rounding rounding(String place, JsonNode body) {
    String method = JsonFields.text(place, body, "method", "rtn");
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
    return value == null ? Stage.DAMPING : JsonFields.number(place, "dampening_frac", value);
  }

  private static DType dtype(String place, String name) {
    return switch (name) {
      case "f16" -> DType.F16;
      case "bf16" -> DType.BF16;
      default -> throw new InputException(place + " converts to '" + name + "'", "use f16 or bf16");
    };
  }

  private static Targets targets(String place, JsonNode body) {
    return new Targets(
        JsonFields.texts(place, body, "targets"), JsonFields.texts(place, body, "ignore"));
  }

  /** A recipe as JSON text. */
  public static String write(Recipe recipe) {
    return RecipeWriter.write(recipe);
  }
}
