package dev.filigree.format.onnx;

import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.OnnxTypes;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Writes an ONNX model without its weights: everything as it was, except that chosen constants say
 * where their data lies instead of holding it. Constants that the file writes as nodes become
 * initializers.
 */
public final class WeightlessOnnx {
  private static final int EXTERNAL = 1;

  private final String source;
  private final Map<String, Map<String, String>> places;
  private final Map<String, Constant> constants;

  private WeightlessOnnx(
      String source, Map<String, Map<String, String>> places, Map<String, Constant> constants) {
    this.source = source;
    this.places = places;
    this.constants = constants;
  }

  /**
   * The model without some constants.
   *
   * @param source named in messages
   * @param model the ONNX model
   * @param places for each constant to leave out, the entries that say where its data lies
   * @param constants of the graph by name, for the types of what is left out
   */
  public static byte[] of(
      String source,
      MemorySegment model,
      Map<String, Map<String, String>> places,
      Map<String, Constant> constants) {
    return new WeightlessOnnx(source, new LinkedHashMap<>(places), constants)
        .model(ProtoReader.of(source, model))
        .toBytes();
  }

  private ProtoWriter model(ProtoReader message) {
    ProtoWriter out = new ProtoWriter();
    while (message.next()) {
      if (message.field() == 7) {
        out.message(7, graph(message.message()));
      } else {
        out.raw(message.encoded());
      }
    }
    return out;
  }

  private ProtoWriter graph(ProtoReader message) {
    ProtoWriter out = new ProtoWriter();
    while (message.next()) {
      switch (message.field()) {
        case 1 -> {
          MemorySegment encoded = message.encoded();
          String left = leftOut(encoded);
          if (left == null) {
            out.raw(encoded);
          } else {
            out.message(5, reference(left));
          }
        }
        case 5 -> {
          MemorySegment encoded = message.encoded();
          String name = nameOfTensor(encoded);
          if (places.containsKey(name)) {
            out.message(5, reference(name));
          } else {
            out.raw(encoded);
          }
        }
        case 15 -> {
          MemorySegment encoded = message.encoded();
          String name = SparseTensorReader.name(unwrapped(encoded));
          if (places.containsKey(name)) {
            out.message(5, reference(name));
          } else {
            out.raw(encoded);
          }
        }
        default -> out.raw(message.encoded());
      }
    }
    return out;
  }

  /** The constant a node holds, if it is one to leave out. */
  private String leftOut(MemorySegment encoded) {
    ProtoReader node = unwrapped(encoded);
    String output = "";
    String type = "";
    while (node.next()) {
      switch (node.field()) {
        case 2 -> output = node.text();
        case 4 -> type = node.text();
        default -> node.skip();
      }
    }
    return type.equals("Constant") && places.containsKey(output) ? output : null;
  }

  private String nameOfTensor(MemorySegment encoded) {
    ProtoReader tensor = unwrapped(encoded);
    while (tensor.next()) {
      if (tensor.field() == 8) {
        return tensor.text();
      }
      tensor.skip();
    }
    return "";
  }

  /** The message inside an encoded field. */
  private ProtoReader unwrapped(MemorySegment encoded) {
    ProtoReader field = ProtoReader.of(source, encoded);
    field.next();
    return field.message();
  }

  private ProtoWriter reference(String name) {
    ProtoWriter out = new ProtoWriter();
    Constant constant = constants.get(name);
    for (Dim dim : constant.type().dims()) {
      out.number(1, dim.value());
    }
    out.number(2, OnnxTypes.number(constant.type().dtype()));
    out.text(8, name);
    places
        .get(name)
        .forEach((key, value) -> out.message(13, new ProtoWriter().text(1, key).text(2, value)));
    out.number(14, EXTERNAL);
    return out;
  }
}
