package dev.filigree.serve;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JsonParser;

/**
 * A request of the Open Inference Protocol: JSON, after which tensors may follow in binary (the
 * binary tensor data extension). Everything in it is a stranger's.
 *
 * @param id to be sent back, or null
 * @param inputs by name
 * @param texts that are there instead of inputs, for text encoders; else empty
 * @param outputs that are wanted, in their order; empty for all
 * @param binary whether the outputs that do not say otherwise are wanted in binary
 * @param timeoutMicros after which nobody wants the answer, if the sender says so
 */
record InferRequest(
    String id,
    Map<String, Tensor> inputs,
    List<String> texts,
    List<Wanted> outputs,
    boolean binary,
    Optional<Long> timeoutMicros) {
  /** Inputs and outputs of a request at most. */
  private static final int TENSORS = 1024;

  /** An output that is wanted, and whether in binary; null for as the request says. */
  record Wanted(String name, Boolean binary) {}

  /**
   * Reads a request.
   *
   * @param jsonLength bytes of the JSON at the start of the body; what follows is binary
   * @throws HttpFailure if it is not what the protocol says
   */
  static InferRequest read(byte[] body, int jsonLength) {
    Reading reading = new Reading();
    Json.document(body, 0, jsonLength, reading::field);
    return reading.request(body, jsonLength);
  }

  /** An input as the JSON describes it. */
  private static final class Input {
    String name;
    String datatype;
    long[] shape;
    TensorData data;
    Object binarySize;
  }

  /** What was read so far. */
  private static final class Reading {
    private String id;
    private Map<String, Object> parameters = Map.of();
    private final List<Input> inputs = new ArrayList<>();
    private final List<Wanted> outputs = new ArrayList<>();

    void field(String name, JsonParser parser) {
      switch (name) {
        case "id" -> id = Json.string("id", parser);
        case "parameters" -> parameters = Json.parameters("parameters", parser);
        case "inputs" -> Json.array("inputs", parser, () -> inputs.add(input(parser)));
        case "outputs" -> Json.array("outputs", parser, () -> outputs.add(output(parser)));
        default -> parser.skipChildren();
      }
    }

    private Input input(JsonParser parser) {
      if (inputs.size() == TENSORS) {
        throw HttpFailure.bad("there are more than " + TENSORS + " inputs; send fewer");
      }
      Input input = new Input();
      String position = "inputs[" + inputs.size() + "]";
      Json.object(
          position,
          parser,
          (name, value) -> {
            switch (name) {
              case "name" -> input.name = Json.string(position + ".name", value);
              case "datatype" -> input.datatype = Json.string(position + ".datatype", value);
              case "shape" -> input.shape = shape(position + ".shape", value);
              case "data" -> input.data = TensorData.read(shown(input, position), value);
              case "parameters" ->
                  input.binarySize =
                      Json.parameters(position + ".parameters", value).get("binary_data_size");
              default -> value.skipChildren();
            }
          });
      if (input.name == null || input.datatype == null || input.shape == null) {
        throw HttpFailure.bad(
            position
                + " has no "
                + (input.name == null ? "name" : input.datatype == null ? "datatype" : "shape")
                + "; send name, shape, datatype and data");
      }
      return input;
    }

    private static String shown(Input input, String position) {
      return input.name == null ? position : Text.shown(input.name);
    }

    private static long[] shape(String what, JsonParser parser) {
      long[] extents = new long[TensorData.MAX_RANK];
      int[] rank = {0};
      Json.array(
          what,
          parser,
          () -> {
            if (rank[0] == extents.length) {
              throw HttpFailure.bad(what + " has more than " + extents.length + " axes");
            }
            extents[rank[0]++] = Json.number(what, parser);
          });
      return Arrays.copyOf(extents, rank[0]);
    }

    private Wanted output(JsonParser parser) {
      if (outputs.size() == TENSORS) {
        throw HttpFailure.bad("there are more than " + TENSORS + " outputs; ask for fewer");
      }
      String position = "outputs[" + outputs.size() + "]";
      String[] name = new String[1];
      Boolean[] binary = new Boolean[1];
      Json.object(
          position,
          parser,
          (field, value) -> {
            switch (field) {
              case "name" -> name[0] = Json.string(position + ".name", value);
              case "parameters" ->
                  binary[0] =
                      flag(
                          position + ".parameters.binary_data",
                          Json.parameters(position + ".parameters", value).get("binary_data"));
              default -> value.skipChildren();
            }
          });
      if (name[0] == null) {
        throw HttpFailure.bad(position + " has no name; send the name of an output");
      }
      return new Wanted(name[0], binary[0]);
    }

    private static Boolean flag(String what, Object value) {
      return switch (value) {
        case null -> null;
        case Boolean flag -> flag;
        default -> throw HttpFailure.bad(what + " is no boolean; send true or false");
      };
    }

    InferRequest request(byte[] body, int jsonLength) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      List<String> texts = List.of();
      int at = jsonLength;
      for (Input input : inputs) {
        byte[] bytes = null;
        if (input.binarySize != null) {
          int size = binarySize(input, body.length - at);
          bytes = Arrays.copyOfRange(body, at, at + size);
          at += size;
        }
        if (input.datatype.equals(TextTensor.DATATYPE)) {
          texts = texts(input, bytes);
          continue;
        }
        Tensor tensor = bytes == null ? fromJson(input) : fromBinary(input, bytes);
        if (tensors.put(input.name, tensor) != null) {
          throw HttpFailure.bad("input '" + Text.shown(input.name) + "' is there twice");
        }
      }
      if (at != body.length) {
        throw HttpFailure.bad(
            (body.length - at)
                + " bytes after the JSON belong to no input; say"
                + " parameters.binary_data_size of each, and the length of the JSON in"
                + " Inference-Header-Content-Length");
      }
      Boolean binary = flag("parameters.binary_data_output", parameters.get("binary_data_output"));
      Optional<Long> timeout =
          switch (parameters.get("timeout")) {
            case null -> Optional.empty();
            case Long micros when micros > 0 -> Optional.of(micros);
            default ->
                throw HttpFailure.bad("parameters.timeout is no positive number of microseconds");
          };
      return new InferRequest(id, tensors, texts, outputs, binary != null && binary, timeout);
    }

    private List<String> texts(Input input, byte[] bytes) {
      if (inputs.size() > 1) {
        throw HttpFailure.bad(
            "input '"
                + Text.shown(input.name)
                + "' is of strings and not the only one; send texts alone");
      }
      String name = Text.shown(input.name);
      checkOneSource(input);
      List<String> texts = bytes == null ? data(input).strings() : TextTensor.read(name, bytes);
      return TextTensor.checked(name, input.shape, texts);
    }

    private static TensorData data(Input input) {
      if (input.data == null) {
        throw HttpFailure.bad(
            "input '"
                + Text.shown(input.name)
                + "' has no data; send data, or parameters.binary_data_size");
      }
      return input.data;
    }

    private static void checkOneSource(Input input) {
      if (input.data != null && input.binarySize != null) {
        throw HttpFailure.bad(
            "input '" + Text.shown(input.name) + "' has both data and binary_data_size");
      }
    }

    private static Tensor fromJson(Input input) {
      return data(input).tensor(type(input), shape(input));
    }

    private static DType type(Input input) {
      return DataTypes.type(Text.shown(input.name), input.datatype);
    }

    private static Shape shape(Input input) {
      try {
        return Shape.of(input.shape);
      } catch (FiligreeException tooLarge) {
        throw HttpFailure.bad("input '" + Text.shown(input.name) + "': " + tooLarge.getMessage());
      }
    }

    private static int binarySize(Input input, int left) {
      if (!(input.binarySize instanceof Long size) || size > left) {
        throw HttpFailure.bad(
            "input '"
                + Text.shown(input.name)
                + "' says binary_data_size "
                + Text.shown(String.valueOf(input.binarySize))
                + ", but "
                + left
                + " bytes are left; send the number of its bytes");
      }
      return size.intValue();
    }

    private static Tensor fromBinary(Input input, byte[] bytes) {
      DType type = type(input);
      Shape shape = shape(input);
      checkOneSource(input);
      // by division: the product may be more than a long holds
      if (bytes.length % type.bytes() != 0 || bytes.length / type.bytes() != shape.elements()) {
        throw HttpFailure.bad(
            "input '"
                + Text.shown(input.name)
                + "' has "
                + bytes.length
                + " bytes, "
                + type
                + shape
                + " has "
                + shape.elements()
                + " elements of "
                + type.bytes());
      }
      if (type == DType.BOOL) {
        for (byte value : bytes) {
          if (value != 0 && value != 1) {
            throw HttpFailure.bad(
                "input '" + Text.shown(input.name) + "' has a BOOL that is neither 0 nor 1");
          }
        }
      }
      return Tensor.of(type, shape, MemorySegment.ofArray(bytes));
    }
  }
}
