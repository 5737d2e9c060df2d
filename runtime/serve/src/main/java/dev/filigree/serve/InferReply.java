package dev.filigree.serve;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.ValueInfo;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonGenerator;

/** Answers of the Open Inference Protocol to {@link InferRequest}. */
final class InferReply {
  static final String JSON_LENGTH = "Inference-Header-Content-Length";

  private InferReply() {}

  /** An output and whether it goes out in binary. */
  private record Sent(String name, Tensor tensor, boolean binary) {}

  /**
   * The answer to a request. A float that JSON cannot write (NaN, infinite) becomes null.
   *
   * @param outputs by name
   */
  static Reply of(String model, int version, InferRequest request, Map<String, Tensor> outputs) {
    List<Sent> sent = new ArrayList<>();
    if (request.outputs().isEmpty()) {
      outputs.forEach((name, tensor) -> sent.add(new Sent(name, tensor, request.binary())));
    }
    for (InferRequest.Wanted wanted : request.outputs()) {
      boolean binary = wanted.binary() == null ? request.binary() : wanted.binary();
      sent.add(new Sent(wanted.name(), outputs.get(wanted.name()), binary));
    }
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    try (JsonGenerator json = Json.MAPPER.createGenerator(body)) {
      json.writeStartObject();
      json.writeStringProperty("model_name", model);
      json.writeStringProperty("model_version", Integer.toString(version));
      if (request.id() != null) {
        json.writeStringProperty("id", request.id());
      }
      json.writeArrayPropertyStart("outputs");
      sent.forEach(output -> write(json, output));
      json.writeEndArray();
      json.writeEndObject();
    }
    if (sent.stream().noneMatch(Sent::binary)) {
      return new Reply(200, Reply.JSON, body.toByteArray(), Map.of());
    }
    int jsonLength = body.size();
    for (Sent output : sent) {
      if (output.binary()) {
        body.writeBytes(output.tensor().contiguous().data().toArray(DType.BYTE));
      }
    }
    return new Reply(200, "application/octet-stream", body.toByteArray(), Map.of())
        .with(JSON_LENGTH, Integer.toString(jsonLength));
  }

  /**
   * Checks the outputs a request asks for before anything is run for it.
   *
   * @throws HttpFailure if the model has none of a name
   */
  static void check(InferRequest request, List<ValueInfo> outputs) {
    checkNames(request, outputs.stream().map(ValueInfo::name).toList());
  }

  /** Likewise, by the names of the outputs there are. */
  static void checkNames(InferRequest request, List<String> outputs) {
    Map<String, Boolean> asked = new LinkedHashMap<>();
    for (InferRequest.Wanted wanted : request.outputs()) {
      if (!outputs.contains(wanted.name())) {
        throw HttpFailure.bad(
            "the model has no output '" + Text.shown(wanted.name()) + "'; it has " + outputs);
      }
      if (asked.put(wanted.name(), true) != null) {
        throw HttpFailure.bad("output '" + Text.shown(wanted.name()) + "' is asked for twice");
      }
    }
  }

  private static void write(JsonGenerator json, Sent output) {
    Tensor tensor = output.tensor().contiguous();
    json.writeStartObject();
    json.writeStringProperty("name", output.name());
    json.writeStringProperty("datatype", DataTypes.name(tensor.dtype()));
    json.writeArrayPropertyStart("shape");
    for (long extent : tensor.shape().extents()) {
      json.writeNumber(extent);
    }
    json.writeEndArray();
    if (output.binary()) {
      json.writeObjectPropertyStart("parameters");
      json.writeNumberProperty("binary_data_size", tensor.bytes());
      json.writeEndObject();
    } else {
      json.writeArrayPropertyStart("data");
      for (long i = 0; i < tensor.elements(); i++) {
        element(json, tensor, i);
      }
      json.writeEndArray();
    }
    json.writeEndObject();
  }

  private static void element(JsonGenerator json, Tensor tensor, long i) {
    switch (tensor.dtype()) {
      case BOOL -> json.writeBoolean(tensor.getLong(i) != 0);
      case U64 -> json.writeNumber(Long.toUnsignedString(tensor.getLong(i)));
      case F64, F32, F16, BF16 -> {
        double value = tensor.getDouble(i);
        if (!Double.isFinite(value)) {
          json.writeNull();
        } else if (tensor.dtype() == DType.F64) {
          json.writeNumber(value);
        } else {
          json.writeNumber((float) value);
        }
      }
      default -> json.writeNumber(tensor.getLong(i));
    }
  }
}
