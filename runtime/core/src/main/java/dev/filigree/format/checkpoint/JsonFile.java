package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.UnsupportedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * An object in a JSON file of a checkpoint, with the path that leads to it for messages. Nothing in
 * it is trusted: sizes, nesting and numbers have limits, and every value is asked for with its kind
 * and bounds. Keys that nobody asks for are ignored, as the tools that write these files add to
 * them freely. Immutable.
 *
 * @param file it was read from
 * @param path keys that lead to this object, empty for the whole document
 * @param node the object
 */
record JsonFile(Path file, String path, JsonNode node) {
  private static final long MAX_BYTES = 64L << 20;
  private static final int MAX_LIST = 100_000;

  private static final ObjectMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder()
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(64)
                          .maxNumberLength(64)
                          .maxNameLength(4096)
                          .maxStringLength(1 << 20)
                          .build())
                  .build())
          .build();

  /**
   * Reads a file that holds one object.
   *
   * @throws FormatException if it is missing, too large, or no JSON object
   */
  static JsonFile read(Path file) {
    try {
      requireSmall(file, Files.size(file));
      return parse(file, Files.readAllBytes(file));
    } catch (NoSuchFileException missing) {
      throw new FormatException(file + " does not exist", "download it with the weights", missing);
    } catch (IOException unreadable) {
      throw new FormatException(
          file + " cannot be read (" + unreadable.getMessage() + ")",
          "check its path and permissions",
          unreadable);
    }
  }

  private static void requireSmall(Path file, long bytes) {
    if (bytes > MAX_BYTES) {
      throw new FormatException(
          file + " has " + bytes + " bytes, more than the " + MAX_BYTES + " such a file may have",
          "download it again");
    }
  }

  /**
   * Reads a document that holds one object.
   *
   * @param file named in messages
   * @throws FormatException if it is too large or no JSON object
   */
  static JsonFile parse(Path file, byte[] text) {
    requireSmall(file, text.length);
    JsonNode root;
    try {
      root = JSON.readTree(text);
    } catch (JacksonException malformed) {
      throw new FormatException(
          file + " is no valid JSON: " + malformed.getOriginalMessage(),
          "download it again",
          malformed);
    }
    if (!root.isObject()) {
      throw new FormatException(file + " holds no JSON object", "download it again");
    }
    return new JsonFile(file, "", root);
  }

  /**
   * The same object with other values behind its own.
   *
   * @param defaults values of keys that it does not have
   */
  JsonFile over(JsonNode defaults) {
    ObjectNode both = (ObjectNode) defaults.deepCopy();
    node.properties().forEach(own -> both.set(own.getKey(), own.getValue()));
    return new JsonFile(file, path, both);
  }

  /**
   * The same object with a value of its own under a further key, where it has the other key.
   *
   * @param own the other key, of an object inside behind the name of that and a point
   */
  JsonFile renamed(String key, String own) {
    JsonNode value = node;
    for (String part : own.split("\\.")) {
      value = value.path(part);
    }
    return value.isMissingNode() || value.isNull() ? this : with(key, value);
  }

  /** The same object with a value in the place of what it has under a key. */
  JsonFile with(String key, JsonNode value) {
    ObjectNode changed = ((ObjectNode) node).deepCopy();
    changed.set(key, value);
    return new JsonFile(file, path, changed);
  }

  /** An object without members in the place of this one. */
  JsonFile emptied() {
    return new JsonFile(file, path, ((ObjectNode) node).objectNode());
  }

  /** Whether the object has a key with a value that is not null. */
  boolean has(String key) {
    return node.hasNonNull(key);
  }

  /** The object under a key, if there is one. An empty object counts as none. */
  Optional<JsonFile> object(String key) {
    JsonNode value = node.path(key);
    if (value.isMissingNode() || value.isNull()) {
      return Optional.empty();
    }
    if (!value.isObject()) {
      throw wrong(key, "no object");
    }
    return value.isEmpty() ? Optional.empty() : Optional.of(new JsonFile(file, at(key), value));
  }

  /** The objects under a key's object, in order; none if the key is missing. */
  List<JsonFile> members(String key) {
    List<JsonFile> members = new ArrayList<>();
    object(key)
        .ifPresent(
            owner ->
                owner
                    .node
                    .propertyNames()
                    .forEach(name -> owner.object(name).ifPresent(members::add)));
    return members;
  }

  /** The text under a key. */
  Optional<String> text(String key) {
    JsonNode value = node.path(key);
    if (value.isMissingNode() || value.isNull()) {
      return Optional.empty();
    }
    if (!value.isString()) {
      throw wrong(key, "no text");
    }
    return Optional.of(value.stringValue());
  }

  /** The texts of the list under a key; none if it is missing. */
  List<String> texts(String key) {
    JsonNode value = node.path(key);
    if (value.isMissingNode() || value.isNull()) {
      return List.of();
    }
    if (!value.isArray() || value.size() > MAX_LIST) {
      throw wrong(key, "no list of at most " + MAX_LIST + " texts");
    }
    List<String> texts = new ArrayList<>();
    for (JsonNode text : value) {
      if (!text.isString()) {
        throw wrong(key, "no list of texts");
      }
      texts.add(text.stringValue());
    }
    return texts;
  }

  /** Whether the key is true; {@code otherwise} if it is missing. */
  boolean flag(String key, boolean otherwise) {
    JsonNode value = node.path(key);
    if (value.isMissingNode() || value.isNull()) {
      return otherwise;
    }
    if (!value.isBoolean()) {
      throw wrong(key, "neither true nor false");
    }
    return value.booleanValue();
  }

  /** The whole number under a key, within bounds. */
  Optional<Integer> number(String key, int least, int most) {
    JsonNode value = node.path(key);
    if (value.isMissingNode() || value.isNull()) {
      return Optional.empty();
    }
    if (!value.isIntegralNumber()
        || !value.canConvertToLong()
        || value.longValue() < least
        || value.longValue() > most) {
      throw wrong(key, "no whole number from " + least + " to " + most);
    }
    return Optional.of((int) value.longValue());
  }

  /** The whole number under a key, or those of a list there; none if the key is missing. */
  List<Long> wholeNumbers(String key) {
    JsonNode value = node.path(key);
    if (value.isMissingNode() || value.isNull()) {
      return List.of();
    }
    List<JsonNode> all = new ArrayList<>();
    if (value.isArray()) {
      value.forEach(all::add);
    } else {
      all.add(value);
    }
    List<Long> numbers = new ArrayList<>();
    for (JsonNode each : all) {
      if (!each.isIntegralNumber() || !each.canConvertToLong() || all.size() > MAX_LIST) {
        throw wrong(key, "no whole number and no list of them");
      }
      numbers.add(each.longValue());
    }
    return numbers;
  }

  /** The whole number under a key, which must be there. */
  int required(String key, int least, int most) {
    return number(key, least, most)
        .orElseThrow(
            () ->
                new FormatException(
                    file + " does not say '" + at(key) + "'", "download config.json again"));
  }

  /** The finite number under a key, within bounds. */
  Optional<Double> real(String key, double least, double most) {
    JsonNode value = node.path(key);
    if (value.isMissingNode() || value.isNull()) {
      return Optional.empty();
    }
    if (!value.isNumber() || !(value.doubleValue() >= least && value.doubleValue() <= most)) {
      throw wrong(key, "no number from " + least + " to " + most);
    }
    return Optional.of(value.doubleValue());
  }

  /**
   * The positive numbers of the list under a key, which must be there.
   *
   * @param count how many there must be
   */
  double[] reals(String key, int count) {
    JsonNode value = node.path(key);
    if (!value.isArray() || value.size() != count) {
      throw wrong(key, "no list of " + count + " numbers");
    }
    double[] numbers = new double[count];
    for (int i = 0; i < count; i++) {
      JsonNode number = value.get(i);
      if (!number.isNumber() || !(number.doubleValue() > 0 && number.doubleValue() <= 1e9)) {
        throw wrong(key, "no list of positive numbers");
      }
      numbers[i] = number.doubleValue();
    }
    return numbers;
  }

  /**
   * The value of a closed set that the text under a key names; a dash stands for an underscore and
   * case does not matter.
   *
   * @throws UnsupportedException if the set has no such value; the message lists those it has
   */
  <E extends Enum<E>> Optional<E> choice(String key, Class<E> set) {
    return text(key).map(text -> choice(key, text, set));
  }

  private <E extends Enum<E>> E choice(String key, String text, Class<E> set) {
    for (E value : set.getEnumConstants()) {
      if (value.name().equals(text.toUpperCase(Locale.ROOT).replace('-', '_'))) {
        return value;
      }
    }
    List<String> known = new ArrayList<>();
    for (E value : set.getEnumConstants()) {
      known.add(value.name().toLowerCase(Locale.ROOT).replace('_', '-'));
    }
    throw new UnsupportedException(
        file + " says '" + at(key) + "': '" + text + "'", "use one of " + String.join(", ", known));
  }

  private String at(String key) {
    return path.isEmpty() ? key : path + "." + key;
  }

  private FormatException wrong(String key, String problem) {
    String value = node.path(key).toString();
    return new FormatException(
        file
            + ": '"
            + at(key)
            + "' is "
            + problem
            + " but "
            + (value.length() > 80 ? value.substring(0, 80) + "..." : value),
        "download config.json again");
  }
}
