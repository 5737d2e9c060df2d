package dev.filigree.format.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.FormatException;
import dev.filigree.GraphException;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class OnnxReaderTest {
  private static final String SOURCE = "test.onnx";

  private static Graph read(OnnxBuilder builder) {
    return OnnxReader.read(SOURCE, builder.toSegment(), OnnxReader.complete(SOURCE));
  }

  private static <E extends FiligreeException> void assertRefused(
      Class<E> type, OnnxBuilder builder, String... mentioned) {
    E refused = assertThrows(type, () -> Passes.standard(read(builder)));
    for (String part : mentioned) {
      assertTrue(refused.getMessage().contains(part), refused.getMessage());
    }
  }

  private static OnnxBuilder start(long opset) {
    return new OnnxBuilder(opset)
        .input("x", DType.F32, "batch", 2, "")
        .output("y", DType.F32, "batch", 2, "");
  }

  @Test
  void aModelBecomesAGraph() {
    Graph graph = read(start(13).node("Neg", "a", "x").node("Abs", "y", "a"));
    assertEquals(13, graph.opset());
    assertEquals("[x: f32[batch, 2, x:2]]", graph.inputs().toString());
    assertEquals("[y: f32[batch, 2, y:2]]", graph.outputs().toString());
    assertEquals(List.of("a*", "y*"), graph.nodes().stream().map(Node::name).toList());
    assertEquals(List.of("Neg", "Abs"), graph.nodes().stream().map(Node::type).toList());
  }

  @Test
  void nodesInAnyOrderAreSorted() {
    Graph graph = read(start(13).node("Abs", "y", "b").node("Exp", "b", "a").node("Neg", "a", "x"));
    assertEquals(List.of("Neg", "Exp", "Abs"), graph.nodes().stream().map(Node::type).toList());
    Tensor x = Tensor.of(new float[] {1, -2}, 1, 2, 1);
    float[] y = new Interpreter(graph).run(Map.of("x", x)).get("y").toFloats();
    assertArrayEquals(new float[] {(float) Math.exp(-1), (float) Math.exp(2)}, y);
  }

  @Test
  void aNodeWithoutANameIsNamedAfterItsOutput() {
    ProtoWriter node = new ProtoWriter().text(1, "x").text(2, "y").text(4, "Neg");
    assertEquals("y", read(start(13).node(node)).nodes().getFirst().name());
    ProtoWriter second = new ProtoWriter().text(1, "x").text(2, "").text(2, "y").text(4, "Neg");
    assertEquals("y", read(start(13).node(second)).nodes().getFirst().name());
  }

  @ParameterizedTest
  @ValueSource(ints = {7, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21, 22, 23, 24, 28})
  void everyOperatorSetInTheRangeIsRead(int opset) {
    Graph graph = read(start(opset).node("Softmax", "y", "x"));
    assertEquals(opset, graph.opset());
    Tensor x = Tensor.of(new float[] {0, 0, 0, 0}, 1, 2, 2);
    float expected = opset < 13 ? 0.25f : 0.5f;
    for (float y : new Interpreter(graph).run(Map.of("x", x)).get("y").toFloats()) {
      assertEquals(expected, y);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 29, 1000, -1})
  void otherOperatorSetsAreRefusedWithTheRange(long opset) {
    assertRefused(
        UnsupportedException.class, start(opset).node("Neg", "y", "x"), SOURCE, "from 1 to 28");
  }

  @Test
  void onlyOnnxsOwnOperatorSetCounts() {
    OnnxBuilder other = start(13).opset("com.example", 99).node("Neg", "y", "x");
    assertEquals(13, read(other).opset());
    OnnxBuilder spelled = new OnnxBuilder().opset("ai.onnx", 12);
    spelled.input("x", DType.F32, 1).output("y", DType.F32, 1).node("Neg", "y", "x");
    assertEquals(12, read(spelled).opset());
    OnnxBuilder none = new OnnxBuilder().opset("com.example", 13);
    assertRefused(
        UnsupportedException.class,
        none.input("x", DType.F32, 1).output("y", DType.F32, 1).node("Neg", "y", "x"),
        "from 1 to 28");
  }

  @Test
  void anUnknownOperatorIsNamedWithItsNode() {
    assertRefused(
        UnsupportedException.class,
        start(13).node("Frobnicate", "y", "x"),
        "'y*' (Frobnicate)",
        "the nearest one it supports is Concat");
    ProtoWriter foreign =
        new ProtoWriter().text(1, "x").text(2, "y").text(3, "n").text(4, "Neg").text(7, "com.x");
    assertRefused(UnsupportedException.class, start(13).node(foreign), "'n' (com.x.Neg)");
    ProtoWriter trees = new ProtoWriter().text(1, "x").text(2, "y").text(3, "n").text(4, "Scaler");
    assertRefused(
        UnsupportedException.class,
        start(13).node(trees.text(7, "ai.onnx.ml")),
        "'n' (ai.onnx.ml.Scaler)",
        "export them as operations on tensors");
  }

  @Test
  void anInputThatNothingMakesIsNamed() {
    assertRefused(
        GraphException.class, start(13).node("Add", "y", "x", "ghost"), "'y*' (Add)", "'ghost'");
  }

  @Test
  void aCycleIsNamedByANodeInIt() {
    assertRefused(
        GraphException.class,
        start(13).node("Add", "a", "x", "b").node("Neg", "b", "a").node("Neg", "y", "b"),
        "'a*' (Add)",
        "'b'");
  }

  @Test
  void aValueMadeTwiceIsRefused() {
    assertRefused(
        GraphException.class, start(13).node("Neg", "y", "x").node("Abs", "y", "x"), "'y*' (Abs)");
    assertRefused(GraphException.class, start(13).node("Neg", "x", "x"), "'x*' (Neg)");
    ProtoWriter twice = new ProtoWriter().text(1, "x").text(2, "y").text(2, "y").text(4, "Neg");
    assertRefused(GraphException.class, start(13).node(twice), "'y' (Neg)");
  }

  @Test
  void twoInputsOrOutputsOfOneNameAreRefused() {
    assertRefused(
        GraphException.class,
        start(13).input("x", DType.F32, 3).node("Neg", "y", "x"),
        "input 'x' twice");
    assertRefused(
        GraphException.class,
        start(13).output("y", DType.F32, 3).node("Neg", "y", "x"),
        "output 'y' twice");
  }

  @Test
  void twoInitializersOfOneNameAreRefused() {
    ProtoWriter tensor = OnnxBuilder.raw("w", DType.U8, new byte[1], 1);
    assertRefused(
        FormatException.class,
        start(13).initializer(tensor).initializer(tensor).node("Neg", "y", "x"),
        SOURCE,
        "'w'");
  }

  @Test
  void anOutputThatNoNodeMakesIsNamed() {
    assertRefused(GraphException.class, start(13).node("Neg", "z", "x"), "'y'");
  }

  @Test
  void anInputWithAnInitializerIsAConstant() {
    Graph graph =
        read(
            start(13)
                .input("w", DType.U8, 1)
                .initializer(OnnxBuilder.raw("w", DType.U8, new byte[] {7}, 1))
                .node("Neg", "y", "x"));
    assertEquals(List.of("x"), graph.inputs().stream().map(input -> input.name()).toList());
    assertEquals(7, graph.constants().get("w").toTensor().getLong(0));
  }

  @Test
  void whatIsNoTensorIsRefused() {
    ProtoWriter sequence = new ProtoWriter().message(4, new ProtoWriter());
    assertRefused(
        UnsupportedException.class,
        start(13).graphField(11, new ProtoWriter().text(1, "s").message(2, sequence)),
        SOURCE,
        "'s' is no tensor");
    assertRefused(
        FormatException.class,
        start(13).graphField(11, new ProtoWriter().text(1, "untyped")),
        "'untyped' without a type");
    ProtoWriter texts = new ProtoWriter().message(1, new ProtoWriter().number(1, 8));
    assertRefused(
        UnsupportedException.class,
        start(13).graphField(11, new ProtoWriter().text(1, "d").message(2, texts)),
        "'d' has the type string");
  }

  @Test
  void attributesOfEveryFormAreRead() {
    ProtoWriter tensor = OnnxBuilder.raw("", DType.U8, new byte[] {5}, 1);
    ProtoWriter floats = new ProtoWriter().text(1, "reals").number(20, 6);
    floats.bytes(7, new byte[] {0, 0, (byte) 0x80, 0x3f, 0, 0, 0, 0x40});
    ProtoWriter node =
        new ProtoWriter()
            .text(1, "x")
            .text(2, "y")
            .text(4, "Neg")
            .message(5, new ProtoWriter().text(1, "int").number(3, -3).number(20, 2))
            .message(5, new ProtoWriter().text(1, "text").text(4, "mean").number(20, 3))
            .message(5, new ProtoWriter().text(1, "ints").number(8, 4).number(8, -5).number(20, 7))
            .message(5, new ProtoWriter().text(1, "packed").bytes(8, new byte[] {4, 5}))
            .message(5, new ProtoWriter().text(1, "none").number(20, 7))
            .message(5, new ProtoWriter().text(1, "texts").text(9, "a").text(9, "b").number(20, 8))
            .message(5, floats)
            .message(5, new ProtoWriter().text(1, "array").message(5, tensor).number(20, 4));
    Map<String, Attribute> attributes = read(start(13).node(node)).nodes().getFirst().attributes();
    assertEquals(new Attribute.Int(-3), attributes.get("int"));
    assertEquals(new Attribute.Text("mean"), attributes.get("text"));
    assertEquals(new Attribute.Ints(List.of(4L, -5L)), attributes.get("ints"));
    assertEquals(new Attribute.Ints(List.of(4L, 5L)), attributes.get("packed"));
    assertEquals(new Attribute.Ints(List.of()), attributes.get("none"));
    assertEquals(new Attribute.Texts(List.of("a", "b")), attributes.get("texts"));
    assertEquals(new Attribute.Reals(List.of(1f, 2f)), attributes.get("reals"));
    assertEquals(5, ((Attribute.Array) attributes.get("array")).value().getLong(0));
    assertEquals(8, attributes.size());
  }

  @Test
  void anAttributeOfTheWrongKindIsNamedWithItsNode() {
    ProtoWriter axis = new ProtoWriter().text(1, "axis").text(4, "last").number(20, 3);
    assertRefused(
        GraphException.class,
        start(13).node("Softmax", List.of("x"), "y", axis),
        "'y*' (Softmax)",
        "'axis' that is not a whole number");
  }

  @Test
  void constantNodesOfEveryFormBecomeConstants() {
    assertConstant(
        new ProtoWriter()
            .text(1, "value")
            .message(5, OnnxBuilder.raw("", DType.U8, new byte[] {1, 2}, 2)),
        "u8[2]",
        1,
        2);
    assertConstant(new ProtoWriter().text(1, "value_int").number(3, -7), "i64[]", -7);
    assertConstant(
        new ProtoWriter().text(1, "value_ints").number(8, 1).number(8, 2), "i64[2]", 1, 2);
    assertConstant(
        new ProtoWriter().text(1, "value_floats").bytes(7, new byte[] {0, 0, (byte) 0x80, 0x3f}),
        "f32[1]",
        1);
    assertConstant(new ProtoWriter().text(1, "value_ints").number(20, 7), "i64[0]");
  }

  private static void assertConstant(ProtoWriter attribute, String type, float... values) {
    Graph graph =
        Passes.standard(
            read(
                new OnnxBuilder(13)
                    .output("c", DType.F32)
                    .node("Constant", List.of(), "c", attribute)));
    Tensor constant = graph.constants().get("c").toTensor();
    assertEquals(type, constant.toString());
    assertArrayEquals(values, constant.toFloats());
  }

  @Test
  void aConstantThatHoldsNoNumberIsRefused() {
    ProtoWriter text = new ProtoWriter().text(1, "value_string").text(4, "a").number(20, 3);
    for (ProtoWriter[] attributes : List.of(new ProtoWriter[] {text}, new ProtoWriter[0])) {
      assertRefused(
          UnsupportedException.class,
          new OnnxBuilder(13).output("c", DType.F32).node("Constant", List.of(), "c", attributes),
          "'c*' (Constant)");
    }
  }

  @Test
  void aFileThatIsNoModelIsRefusedByName(@TempDir Path folder) throws Exception {
    for (String content : List.of("hello, I am a text file", "\0\0\0\0", "<html></html>")) {
      Path file = folder.resolve("not.onnx");
      Files.write(file, content.getBytes(StandardCharsets.UTF_8));
      try (Arena arena = Arena.ofConfined()) {
        FormatException refused =
            assertThrows(FormatException.class, () -> OnnxReader.read(file, arena));
        assertTrue(refused.getMessage().contains(file.toString()), refused.getMessage());
      }
    }
  }

  @Test
  void everyTruncationOfAModelIsRefused() {
    byte[] whole =
        start(13)
            .initializer(OnnxBuilder.raw("w", DType.F32, new byte[8], 2))
            .node("Neg", "y", "x")
            .toBytes();
    for (int length = 0; length < whole.length; length++) {
      byte[] part = Arrays.copyOf(whole, length);
      assertThrows(
          FiligreeException.class,
          () -> OnnxReader.read(SOURCE, MemorySegment.ofArray(part), OnnxReader.complete(SOURCE)),
          () -> part.length + " bytes");
    }
  }

  @Test
  void fourBitIntegersAreReadWhereTheyAreDequantised() {
    ProtoWriter codes = OnnxBuilder.tensor("w", 22, 3).bytes(9, new byte[] {0x7f, 0x08});
    ProtoWriter scale = OnnxBuilder.raw("s", DType.F32, new byte[] {0, 0, 0, 0x40});
    OnnxBuilder builder =
        new OnnxBuilder(21)
            .input("x", DType.F32, 3)
            .output("y", DType.F32, 3)
            .initializer(codes)
            .initializer(scale);
    builder.node("DequantizeLinear", "d", "w", "s").node("Add", "y", "x", "d");
    Tensor x = Tensor.of(new float[] {100, 100, 100}, 3);
    float[] y = new Interpreter(read(builder)).run(Map.of("x", x)).get("y").toFloats();
    assertArrayEquals(new float[] {98, 114, 84}, y);
    ProtoWriter again = OnnxBuilder.tensor("w", 22, 3).bytes(9, new byte[] {0x7f, 0x08});
    OnnxBuilder added =
        new OnnxBuilder(21)
            .input("x", DType.I8, 3)
            .output("y", DType.I8, 3)
            .initializer(again)
            .node("Add", "y", "x", "w");
    assertRefused(UnsupportedException.class, added, "'y*' (Add)", "'w' of four-bit integers");
  }

  @Test
  void functionsThatCallThemselvesAreRefused() {
    ProtoWriter call =
        new ProtoWriter().text(1, "a").text(2, "b").text(4, "again").text(7, "local");
    ProtoWriter function =
        new ProtoWriter().text(1, "again").text(4, "a").text(5, "b").message(7, call);
    function.text(10, "local");
    ProtoWriter node =
        new ProtoWriter().text(1, "x").text(2, "y").text(4, "again").text(7, "local");
    OnnxBuilder builder = start(18).node(node).modelField(25, function);
    assertRefused(FormatException.class, builder, "functions within functions");
  }

  @Test
  void aModelOfClassicalOperatorsAloneSaysSo() {
    OnnxBuilder trees = new OnnxBuilder().opset("ai.onnx.ml", 3).input("x", DType.F32, 3);
    trees.output("y", DType.F32, 3).node("Scaler", "y", "x");
    assertRefused(UnsupportedException.class, trees, "trees and scalers of ai.onnx.ml");
  }
}
