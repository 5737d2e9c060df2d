package dev.filigree.compress;

import dev.filigree.FormatException;
import dev.filigree.InputException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * Fields of a recipe's stages as JSON has them. What is of another kind, or unknown, is refused
 * with the place where it stands.
 */
final class JsonFields {
  private JsonFields() {}

  static boolean flag(String place, JsonNode body, String key) {
    JsonNode value = body.get(key);
    if (value != null && !value.isBoolean()) {
      throw new FormatException(
          place + " has a \"" + key + "\" that is neither true nor false", "write true or false");
    }
    return value != null && value.asBoolean();
  }

  /** One of an enumeration's constants, by its name in lower case. */
  static <E extends Enum<E>> E choice(String place, JsonNode body, String key, E otherwise) {
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

  static List<String> texts(String place, JsonNode body, String key) {
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

  static String text(String place, JsonNode body, String key, String otherwise) {
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
}
