package dev.filigree.format.onnx;

import dev.filigree.Tensor;
import dev.filigree.format.MappedFile;
import dev.filigree.graph.Node;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Looks into ONNX files beside the reader: what tests need to know of models it refuses. */
public final class OnnxFiles {
  private OnnxFiles() {}

  /** A tensor stored as a file of its own (a TensorProto). */
  public static Tensor tensor(Path file, Arena arena) {
    String source = file.toString();
    return TensorReader.read(
            source,
            ProtoReader.of(source, MappedFile.map(file, arena)),
            OnnxReader.complete(source))
        .constant()
        .toTensor();
  }

  /** Operator types of a model's nodes in their order, with the domain where it is not ONNX's. */
  public static List<String> operators(Path model) {
    try (Arena arena = Arena.ofConfined()) {
      ProtoReader message = ProtoReader.of(model.toString(), MappedFile.map(model, arena));
      List<String> types = new ArrayList<>();
      while (message.next()) {
        if (message.field() == 7) {
          graph(message.message(), types);
        } else {
          message.skip();
        }
      }
      return types;
    }
  }

  private static void graph(ProtoReader message, List<String> types) {
    while (message.next()) {
      if (message.field() == 1) {
        types.add(operator(message.message()));
      } else {
        message.skip();
      }
    }
  }

  private static String operator(ProtoReader message) {
    String type = "";
    String domain = Node.ONNX;
    while (message.next()) {
      switch (message.field()) {
        case 4 -> type = message.text();
        case 7 -> domain = message.text();
        default -> message.skip();
      }
    }
    return domain.isEmpty() ? type : domain + "." + type;
  }
}
