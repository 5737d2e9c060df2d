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
import java.util.List;
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
      assertTrue(refused.problem().contains("'q*' (Quant"), refused.problem());
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
    assertEquals("node 'n' (QuantizeFloats) rounds to the type " + form, refused.problem());
  }

  private static ProtoWriter node(String type, String output, String... inputs) {
    ProtoWriter node = new ProtoWriter().text(2, output).text(3, output + "*").text(4, type);
    for (String input : inputs) {
      node.text(1, input);
    }
    return node;
  }

  private static ProtoWriter zero(String attribute) {
    ProtoWriter tensor = OnnxBuilder.tensor("", INT4).bytes(9, new byte[1]);
    return new ProtoWriter().text(1, attribute).message(5, tensor).number(20, 4);
  }

  /** A function of a, with scales s, that rounds to four bits and back. */
  private static ProtoWriter function(ProtoWriter... nodes) {
    ProtoWriter function =
        new ProtoWriter().text(1, "round").text(4, "a").text(4, "s").text(5, "b");
    for (ProtoWriter node : nodes) {
      function.message(7, node);
    }
    return function.text(10, "local");
  }

  private static OnnxBuilder calling(ProtoWriter call, ProtoWriter function) {
    return start().node(call.text(7, "local")).modelField(25, function).output("y", DType.F32, 3);
  }

  /** Both branches of an If: a is rounded to the type of z. */
  private static ProtoWriter choice(String output, String a) {
    ProtoWriter choice = node("If", output, "c");
    for (String branch : List.of("then", "else")) {
      String inner = output + branch;
      ProtoWriter graph =
          new ProtoWriter()
              .message(1, node("QuantizeLinear", "q", a, "s", "z"))
              .message(1, node("DequantizeLinear", inner, "q", "s", "z"))
              .text(2, branch)
              .message(12, new ProtoWriter().text(1, inner));
      choice.message(
          5, new ProtoWriter().text(1, branch + "_branch").message(6, graph).number(20, 5));
    }
    return choice;
  }

  private static ProtoWriter yes() {
    return OnnxBuilder.raw("c", DType.BOOL, new byte[] {1});
  }

  private void assertSaturatesAtFourBits(OnnxBuilder builder) throws IOException {
    assertArrayEquals(new float[] {-8, 3, 7}, run(write(builder), -100, 3, 100));
  }

  @Test
  void aFunctionRoundsToTheTypeOfItsOwnConstant() throws IOException {
    ProtoWriter[] rounding = {
      node("Constant", "z").message(5, zero("value")),
      node("QuantizeLinear", "q", "a", "s", "z"),
      node("DequantizeLinear", "b", "q", "s", "z")
    };
    assertSaturatesAtFourBits(calling(node("round", "y", "x", "s"), function(rounding)));
    rounding[0] =
        node("Constant", "z").message(5, new ProtoWriter().text(1, "value").text(21, "zero"));
    ProtoWriter call = node("round", "y", "x", "s").message(5, zero("zero"));
    assertSaturatesAtFourBits(calling(call, function(rounding)));
  }

  @Test
  void aBranchRoundsToTheTypeOfAConstantThatItCaptures() throws IOException {
    assertSaturatesAtFourBits(
        start()
            .node(choice("y", "x"))
            .initializer(OnnxBuilder.tensor("z", INT4).bytes(9, new byte[1]))
            .initializer(yes())
            .output("y", DType.F32, 3));
    ProtoWriter condition = new ProtoWriter().text(1, "value").message(5, yes()).number(20, 4);
    assertSaturatesAtFourBits(
        calling(
            node("round", "y", "x", "s"),
            function(
                node("Constant", "z").message(5, zero("value")),
                node("Constant", "c").message(5, condition),
                choice("b", "a"))));
  }

  @Test
  void aBranchThatMakesFourBitIntegersIsRefused() throws IOException {
    ProtoWriter choice = node("If", "q", "c");
    for (String branch : List.of("then", "else")) {
      ProtoWriter graph =
          new ProtoWriter()
              .message(1, node("QuantizeLinear", branch, "x", "s", "z"))
              .message(12, new ProtoWriter().text(1, branch));
      choice.message(
          5, new ProtoWriter().text(1, branch + "_branch").message(6, graph).number(20, 5));
    }
    Path file =
        write(
            start()
                .initializer(OnnxBuilder.tensor("z", INT4).bytes(9, new byte[1]))
                .initializer(yes())
                .node(choice)
                .node("DequantizeLinear", "y", "q", "s", "z")
                .output("y", DType.F32, 3));
    UnsupportedException refused = assertThrows(UnsupportedException.class, () -> Model.open(file));
    assertTrue(refused.problem().startsWith("node 'q*' (If) makes '"), refused.problem());
    assertTrue(refused.problem().endsWith("' of four-bit integers"), refused.problem());
  }
}
