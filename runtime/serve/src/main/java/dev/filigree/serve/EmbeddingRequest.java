package dev.filigree.serve;

import dev.filigree.DType;
import dev.filigree.text.SentenceModel;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * A request of the embeddings interface that OpenAI's clients speak. Everything in it is a
 * stranger's.
 *
 * @param model its name
 * @param texts to be embedded, at least one
 * @param base64 whether vectors go out as base64 of little-endian floats
 * @param dimensions that vectors must have; 0 if the sender does not say
 */
record EmbeddingRequest(String model, List<String> texts, boolean base64, long dimensions) {
  /**
   * Reads a request.
   *
   * @param maxTexts of one request
   * @throws HttpFailure if it is not what the interface says
   */
  static EmbeddingRequest read(byte[] body, int maxTexts) {
    Reading reading = new Reading(maxTexts);
    Json.document(body, 0, body.length, reading::field);
    return reading.request();
  }

  /** What was read so far. */
  private static final class Reading {
    private final int maxTexts;
    private String model;
    private List<String> texts;
    private String format = "float";
    private long dimensions;

    Reading(int maxTexts) {
      this.maxTexts = maxTexts;
    }

    void field(String name, JsonParser parser) {
      switch (name) {
        case "model" -> model = Json.string("model", parser);
        case "input" -> texts = texts(parser);
        case "encoding_format" -> format = Json.string("encoding_format", parser);
        case "dimensions" -> {
          if (parser.currentToken() != JsonToken.VALUE_NULL) {
            dimensions = Json.number("dimensions", parser);
          }
        }
        default -> parser.skipChildren();
      }
    }

    private List<String> texts(JsonParser parser) {
      List<String> all = new ArrayList<>();
      if (parser.currentToken() == JsonToken.VALUE_STRING) {
        all.add(text(parser));
        return all;
      }
      Json.array(
          "input",
          parser,
          () -> {
            if (all.size() == maxTexts) {
              throw HttpFailure.bad("input has more than " + maxTexts + " texts; send fewer");
            }
            all.add(text(parser));
          });
      return all;
    }

    private static String text(JsonParser parser) {
      if (parser.currentToken() != JsonToken.VALUE_STRING) {
        throw HttpFailure.bad(
            "input is neither a text nor a list of texts; token numbers are not supported, send the"
                + " texts");
      }
      String text = parser.getString();
      if (text.isBlank()) {
        throw HttpFailure.bad("input has an empty text; send texts with words in them");
      }
      return text;
    }

    EmbeddingRequest request() {
      if (texts != null && texts.isEmpty()) {
        throw HttpFailure.bad("input is an empty list; send at least one text");
      }
      if (model == null || texts == null) {
        throw HttpFailure.bad(
            (model == null ? "model" : "input") + " is missing; send model and input");
      }
      if (!format.equals("float") && !format.equals("base64")) {
        throw HttpFailure.bad(
            "encoding_format is '" + Text.shown(format) + "'; send float or base64");
      }
      return new EmbeddingRequest(model, texts, format.equals("base64"), dimensions);
    }
  }

  /**
   * The answer.
   *
   * @throws HttpFailure if vectors of another length were wanted
   */
  Reply reply(SentenceModel.Embedded encoded) {
    int length = encoded.vectors()[0].length;
    if (dimensions != 0 && dimensions != length) {
      throw HttpFailure.bad(
          "dimensions is "
              + dimensions
              + ", the model's vectors have "
              + length
              + "; leave dimensions out");
    }
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    try (JsonGenerator json = Json.MAPPER.createGenerator(body)) {
      json.writeStartObject();
      json.writeStringProperty("object", "list");
      json.writeArrayPropertyStart("data");
      for (int i = 0; i < encoded.vectors().length; i++) {
        json.writeStartObject();
        json.writeStringProperty("object", "embedding");
        json.writeNumberProperty("index", i);
        json.writeName("embedding");
        write(json, encoded.vectors()[i]);
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeStringProperty("model", model);
      json.writeObjectPropertyStart("usage");
      json.writeNumberProperty("prompt_tokens", encoded.tokens());
      json.writeNumberProperty("total_tokens", encoded.tokens());
      json.writeEndObject();
      json.writeEndObject();
    }
    return new Reply(200, Reply.JSON, body.toByteArray(), Map.of());
  }

  private void write(JsonGenerator json, float[] vector) {
    if (base64) {
      ByteBuffer bytes =
          ByteBuffer.allocate(vector.length * DType.F32.bytes()).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(vector);
      json.writeString(Base64.getEncoder().encodeToString(bytes.array()));
      return;
    }
    json.writeStartArray();
    for (float value : vector) {
      json.writeNumber(value);
    }
    json.writeEndArray();
  }
}
