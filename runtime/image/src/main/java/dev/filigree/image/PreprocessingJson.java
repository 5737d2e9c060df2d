package dev.filigree.image;

import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.image.Preprocessing.Channels;
import dev.filigree.image.Preprocessing.Layout;
import dev.filigree.image.Preprocessing.Resize;
import dev.filigree.image.Preprocessing.Size;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Preprocessing as JSON, the document {@code image.json} of a model:
 *
 * <pre>
 *   {"resize":   {"shorter": 256},               or {"width": 224, "height": 224}, or left out
 *    "crop":     {"width": 224, "height": 224},  or left out
 *    "filter":   "bilinear",                     or bicubic, nearest; default bilinear
 *    "channels": "rgb",                          or bgr, gray; default rgb
 *    "layout":   "nchw",                         or nhwc; default nchw
 *    "scale":    0.00392156862745098,            default 1/255
 *    "mean":     [0.485, 0.456, 0.406],          default 0
 *    "std":      [0.229, 0.224, 0.225]}          default 1
 * </pre>
 *
 * Unknown keys are refused: a misspelt one must not do nothing.
 */
public final class PreprocessingJson {
  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private static final long MAX_BYTES = 1 << 16;
  private static final float UNIT = 1 / 255f;

  private PreprocessingJson() {}

  /**
   * Reads a file.
   *
   * @throws FormatException if it cannot be read or understood
   */
  public static Preprocessing read(Path file) {
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new FormatException(
            file + " has " + Files.size(file) + " bytes", "pass a description of preprocessing");
      }
      return parse(file.toString(), Files.readString(file));
    } catch (IOException unreadable) {
      throw new FormatException(
          "the preprocessing " + file + " cannot be read (" + unreadable.getMessage() + ")",
          "check the path",
          unreadable);
    }
  }

  /**
   * Parses a description.
   *
   * @param source named in messages
   * @throws FormatException if it cannot be understood
   */
  public static Preprocessing parse(String source, String text) {
    JsonNode root;
    try {
      root = JSON.readTree(text);
    } catch (JacksonException malformed) {
      throw new FormatException(
          source + " is no valid JSON: " + malformed.getOriginalMessage(), "correct it", malformed);
    }
    keys(
        source,
        root,
        Set.of("resize", "crop", "filter", "channels", "layout", "scale", "mean", "std"));
    Channels channels = choice(source, root, "channels", Channels.RGB);
    try {
      return new Preprocessing(
          resize(source, root.path("resize")),
          root.has("crop")
              ? Optional.of(size(source + ", crop", root.get("crop")))
              : Optional.empty(),
          choice(source, root, "filter", Filter.BILINEAR),
          channels,
          choice(source, root, "layout", Layout.NCHW),
          root.has("scale") ? (float) number(source, "scale", root.get("scale")) : UNIT,
          numbers(source, root, "mean", channels.count(), 0),
          numbers(source, root, "std", channels.count(), 1));
    } catch (InputException impossible) {
      throw new FormatException(
          source + " asks for " + impossible.problem(), impossible.remedy(), impossible);
    }
  }

  private static Resize resize(String source, JsonNode node) {
    if (node.isMissingNode()) {
      return new Resize.Keep();
    }
    String place = source + ", resize";
    if (node.has("shorter")) {
      keys(place, node, Set.of("shorter"));
      return new Resize.Shorter(whole(place, "shorter", node));
    }
    return new Resize.Exactly(size(place, node));
  }

  private static Size size(String place, JsonNode node) {
    keys(place, node, Set.of("width", "height"));
    return new Size(whole(place, "width", node), whole(place, "height", node));
  }

  private static int whole(String place, String key, JsonNode node) {
    JsonNode value = node.path(key);
    if (!value.isInt()) {
      throw new FormatException(
          place + " has no whole number \"" + key + "\"", "write a number of pixels");
    }
    return value.intValue();
  }

  private static double number(String place, String key, JsonNode value) {
    if (!value.isNumber()) {
      throw new FormatException(place + ": \"" + key + "\" is " + value, "write a number");
    }
    return value.doubleValue();
  }

  private static float[] numbers(String source, JsonNode root, String key, int count, float usual) {
    float[] numbers = new float[count];
    JsonNode list = root.path(key);
    if (list.isMissingNode()) {
      Arrays.fill(numbers, usual);
      return numbers;
    }
    if (!list.isArray() || list.size() != count) {
      throw new FormatException(
          source + ": \"" + key + "\" is no list of " + count + " numbers",
          "write one number for each channel");
    }
    for (int c = 0; c < count; c++) {
      numbers[c] = (float) number(source, key, list.get(c));
    }
    return numbers;
  }

  private static <E extends Enum<E>> E choice(String source, JsonNode root, String key, E usual) {
    JsonNode value = root.path(key);
    if (value.isMissingNode()) {
      return usual;
    }
    List<String> known = new ArrayList<>();
    for (E constant : usual.getDeclaringClass().getEnumConstants()) {
      String name = constant.name().toLowerCase(Locale.ROOT);
      if (value.isString() && value.stringValue().equals(name)) {
        return constant;
      }
      known.add(name);
    }
    throw new FormatException(
        source + ": \"" + key + "\" is " + value, "use one of " + String.join(", ", known));
  }

  private static void keys(String place, JsonNode node, Set<String> known) {
    if (!node.isObject()) {
      throw new FormatException(place + " is no JSON object", "write {...}");
    }
    for (String key : node.propertyNames()) {
      if (!known.contains(key)) {
        throw new FormatException(
            place + " has the unknown key \"" + key + "\"",
            "use " + String.join(", ", known.stream().sorted().toList()));
      }
    }
  }

  /** Writes a description with every key that differs from its default or has none. */
  public static String write(Preprocessing preprocessing) {
    ObjectNode root = JSON.createObjectNode();
    switch (preprocessing.resize()) {
      case Resize.Keep keep -> {}
      case Resize.Exactly(Size size) -> size(root.putObject("resize"), size);
      case Resize.Shorter(int pixels) -> root.putObject("resize").put("shorter", pixels);
    }
    preprocessing.crop().ifPresent(size -> size(root.putObject("crop"), size));
    root.put("filter", name(preprocessing.filter()));
    root.put("channels", name(preprocessing.channels()));
    root.put("layout", name(preprocessing.layout()));
    root.put("scale", preprocessing.scale());
    numbers(root.putArray("mean"), preprocessing.mean());
    numbers(root.putArray("std"), preprocessing.std());
    return root.toString();
  }

  private static void size(ObjectNode into, Size size) {
    into.put("width", size.width()).put("height", size.height());
  }

  private static void numbers(ArrayNode into, float[] numbers) {
    for (float number : numbers) {
      into.add(number);
    }
  }

  private static String name(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }
}
