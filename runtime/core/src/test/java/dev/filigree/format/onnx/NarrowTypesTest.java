package dev.filigree.format.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class NarrowTypesTest {
  private static final long E4M3FN = 17;
  private static final long INT4 = 22;

  @TempDir Path folder;

  private Path write(OnnxBuilder builder) throws IOException {
    return Files.write(folder.resolve("test.onnx"), builder.toBytes());
  }

  private static OnnxBuilder start() {
    return new OnnxBuilder(21)
        .input("x", DType.F32, 3)
        .initializer(OnnxBuilder.raw("s", DType.F32, new byte[] {0, 0, (byte) 0x80, 0x3f}));
  }

  private static float[] run(Path file, float... x) {
    try (Model model = Model.open(file);
        Session session = model.session(SessionOptions.defaults())) {
      return session.run(Map.of("x", Tensor.of(x, x.length))).get("y").toFloats();
    }
  }

  @Test
  void aModelThatRoundsToFloatsOfEightBitsIsWrittenAsAContainerAlone() throws IOException {
    Path file =
        write(
            start()
                .initializer(OnnxBuilder.tensor("z", E4M3FN).bytes(9, new byte[1]))
                .node("QuantizeLinear", "q", "x", "s", "z")
                .node("DequantizeLinear", "y", "q", "s", "z")
                .output("y", DType.F32, 3));
    float[] rounded = {1, 18, 448};
    assertArrayEquals(rounded, run(file, 1, 17.1f, 1000));
    Path onnx = folder.resolve("copy.onnx");
    Path container = folder.resolve("copy.filigree");
    try (Model model = Model.open(file)) {
      UnsupportedException refused =
          assertThrows(UnsupportedException.class, () -> model.writeOnnx(onnx));
      assertTrue(refused.problem().contains("'q*' (dev.filigree.Quant"), refused.problem());
      assertTrue(refused.remedy().contains(".filigree"), refused.remedy());
      assertFalse(Files.exists(onnx));
      model.writer().write(container);
    }
    assertArrayEquals(rounded, run(container, 1, 17.1f, 1000));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 23, 99})
  void aFileThatNamesNoFloatsOfEightBitsIsRefused(long form) throws IOException {
    ProtoWriter node =
        new ProtoWriter()
            .text(1, "x")
            .text(1, "s")
            .text(2, "y")
            .text(3, "n")
            .text(4, "QuantizeFloats")
            .message(5, new ProtoWriter().text(1, "form").number(3, form).number(20, 2))
            .text(7, Node.FUSED);
    Path file = write(start().node(node).output("y", DType.F32, 3));
    UnsupportedException refused = assertThrows(UnsupportedException.class, () -> run(file, 1));
    assertEquals(
        "node 'n' (dev.filigree.QuantizeFloats) rounds to the type " + form, refused.problem());
  }
}
