package dev.filigree.serve;

import java.util.HashMap;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads JSON that strangers send, token by token: a tree would take many times the memory of the
 * text.
 */
final class Json {
  /** Arrays in arrays: more than any tensor has axes. */
  private static final int DEPTH = 32;

  /** Digits of a number: more than a double has, few enough to be read in no time. */
  private static final int DIGITS = 400;

  /** Parameters of a request or tensor. */
  private static final int PARAMETERS = 64;

  static final ObjectMapper MAPPER =
      JsonMapper.builder(
              JsonFactory.builder()
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(DEPTH)
                          .maxNumberLength(DIGITS)
                          .build())
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .build())
          .build();

  private Json() {}

  /** What reads one value of an object. */
  @FunctionalInterface
  interface Field {
    void read(String name, JsonParser parser);
  }

  /**
   * Reads a document that is one object.
   *
   * @throws HttpFailure if it is anything else
   */
  static void document(byte[] text, int from, int length, Field field) {
    try (JsonParser parser = MAPPER.createParser(text, from, length)) {
      parser.nextToken();
      object("the body", parser, field);
      if (parser.nextToken() != null) {
        throw HttpFailure.bad("something follows the JSON object of the body; send one object");
      }
    } catch (JacksonException malformed) {
      throw HttpFailure.bad(
          "the body is no valid JSON: "
              + withoutPlaces(malformed.getOriginalMessage())
              + (malformed.getLocation() == null
                  ? ""
                  : " at byte " + malformed.getLocation().getByteOffset()));
    }
  }

  /** A parser's message without what it says of its source, which is the sender's body. */
  private static String withoutPlaces(String message) {
    return message.replaceAll(" ?\\((start marker )?at \\[Source: [^]]*]\\)", "");
  }

  /** Reads an object whose start is the current token; {@code field} reads each value. */
  static void object(String what, JsonParser parser, Field field) {
    expect(what, parser, JsonToken.START_OBJECT, "an object");
    while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      field.read(name, parser);
    }
  }

  /** Reads an array whose start is the current token; {@code element} reads each element. */
  static void array(String what, JsonParser parser, Runnable element) {
    expect(what, parser, JsonToken.START_ARRAY, "an array");
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      element.run();
    }
  }

  static String string(String what, JsonParser parser) {
    expect(what, parser, JsonToken.VALUE_STRING, "a string");
    return parser.getString();
  }

  /** A whole number that is not negative. */
  static long number(String what, JsonParser parser) {
    expect(what, parser, JsonToken.VALUE_NUMBER_INT, "a whole number");
    if (parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER || parser.getLongValue() < 0) {
      throw HttpFailure.bad(what + " is out of range; send a number from 0 to 2^63-1");
    }
    return parser.getLongValue();
  }

  /** Parameters: strings, numbers and booleans by name. */
  static Map<String, Object> parameters(String what, JsonParser parser) {
    Map<String, Object> parameters = new HashMap<>();
    object(
        what,
        parser,
        (name, value) -> {
          if (parameters.size() == PARAMETERS) {
            throw HttpFailure.bad(what + " are more than " + PARAMETERS + "; send fewer");
          }
          parameters.put(
              name,
              switch (value.currentToken()) {
                case VALUE_STRING -> value.getString();
                case VALUE_NUMBER_INT -> number(what + "." + name, value);
                case VALUE_NUMBER_FLOAT -> value.getDoubleValue();
                case VALUE_TRUE -> true;
                case VALUE_FALSE -> false;
                default ->
                    throw HttpFailure.bad(
                        what + "." + name + " is none of string, number and boolean; send one");
              });
        });
    return parameters;
  }

  private static void expect(String what, JsonParser parser, JsonToken token, String kind) {
    if (parser.currentToken() != token) {
      throw HttpFailure.bad(
          what
              + " is "
              + (parser.currentToken() == null ? "empty" : "not " + kind)
              + "; send "
              + kind);
    }
  }
}
