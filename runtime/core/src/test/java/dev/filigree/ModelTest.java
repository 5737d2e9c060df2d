package dev.filigree;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.format.onnx.OnnxModels;
import dev.filigree.graph.ValueInfo;
import dev.filigree.testing.Floats;
import dev.filigree.testing.Samples;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelTest {
  private static final float[] WEIGHTS = new Samples(1).normal(12);

  @TempDir Path folder;
  private Path onnx;

  @BeforeEach
  void writeAModel() throws IOException {
    onnx = folder.resolve("small.net.onnx");
    Files.write(onnx, OnnxModels.of(Map.of("w", Tensor.of(WEIGHTS, 3, 4))));
  }

  @Test
  void aModelSaysWhatItTakesMakesAndHolds() {
    try (Model model = Model.open(onnx)) {
      assertEquals("small.net", model.name());
      assertEquals(onnx, model.path());
      assertEquals(List.of("w.x"), model.inputs().stream().map(ValueInfo::name).toList());
      assertEquals(List.of("w.y"), model.outputs().stream().map(ValueInfo::name).toList());
      assertEquals(48, model.weightBytes());
      WeightMatrix matrix = model.matrices().getFirst();
      assertEquals(1, model.matrices().size());
      assertEquals("w", matrix.constant());
      assertEquals(WeightMatrix.Use.LINEAR, matrix.use());
      assertTrue(matrix.transposed());
      assertEquals(4, matrix.weights().rows());
      assertEquals(3, matrix.weights().columns());
      for (int out = 0; out < 4; out++) {
        float[] row = new float[3];
        matrix.weights().unpackRow(out, row, 0);
        Floats.assertSameBits(new float[] {WEIGHTS[out], WEIGHTS[4 + out], WEIGHTS[8 + out]}, row);
      }
    }
  }

  private Path untyped(String op) throws IOException {
    Path file = folder.resolve(op + ".onnx");
    Files.write(file, OnnxModels.ofOutputWithoutType(op));
    return file;
  }

  @Test
  void anOutputDeclaredByNameAloneHasTheTypeThatFollows() throws IOException {
    Path copy = folder.resolve("copy.onnx");
    try (Model model = Model.open(untyped("Relu"))) {
      assertEquals("[y: f32[batch, 4]]", model.outputs().toString());
      try (Session session = model.session(SessionOptions.defaults())) {
        Tensor x = Tensor.of(new float[] {-1, 2, -3, 4}, 1, 4);
        assertArrayEquals(
            new float[] {0, 2, 0, 4}, session.run(Map.of("x", x)).get("y").toFloats());
      }
      model.writeOnnx(copy);
    }
    try (Model written = Model.open(copy)) {
      assertEquals(1, written.outputs().size());
    }
    try (Model places = Model.open(untyped("NonZero"))) {
      assertEquals(DType.I64, places.outputs().getFirst().dtype());
    }
  }

  @Test
  void aModelWrittenAsAContainerOpensAsTheSameModel() throws IOException {
    Files.writeString(folder.resolve("tokenizer.json"), "{}");
    Path file = folder.resolve("small.filigree");
    try (Model model = Model.open(onnx)) {
      model.writer().metadata("recipe", "none").write(file);
      try (Model again = Model.open(file)) {
        assertEquals(model.inputs(), again.inputs());
        assertEquals(model.outputs(), again.outputs());
        assertEquals(model.graph().nodes(), again.graph().nodes());
        Floats.assertSameBits(
            model.matrices().getFirst().weights().unpack(),
            again.matrices().getFirst().weights().unpack());
        assertEquals("none", again.metadata().get("recipe"));
        MemorySegment tokenizer = again.documents().get(Model.TOKENIZER);
        assertArrayEquals(new byte[] {'{', '}'}, tokenizer.toArray(DType.BYTE));
      }
    }
  }

  @Test
  void theTokenizerNamedAfterTheModelComesBeforeThePlainOne() throws IOException {
    Files.writeString(folder.resolve("tokenizer.json"), "plain");
    Files.writeString(folder.resolve("small.net-tokenizer.json"), "own");
    try (Model model = Model.open(onnx)) {
      assertEquals(3, model.documents().get(Model.TOKENIZER).byteSize());
    }
  }

  @Test
  void closingUnmapsTheFileOnceTheLastSessionIsClosed() throws IOException {
    Files.writeString(folder.resolve("tokenizer.json"), "{}");
    Model model = Model.open(onnx);
    MemorySegment document = model.documents().get(Model.TOKENIZER);
    Session session = model.session(SessionOptions.defaults());
    model.close();
    model.close();
    assertTrue(document.scope().isAlive(), "a session still uses the model");
    session.close();
    assertTrue(!document.scope().isAlive());
    IllegalStateException refusal =
        assertThrows(IllegalStateException.class, () -> model.session(SessionOptions.defaults()));
    assertEquals("model 'small.net' was closed", refusal.getMessage());
    assertThrows(IllegalStateException.class, () -> document.get(DType.BYTE, 0));
  }

  @ParameterizedTest
  @ValueSource(strings = {"model.bin", "model", "onnx"})
  void aFileOfAnotherKindIsUnsupported(String name) {
    Path file = folder.resolve(name);
    UnsupportedException refusal = assertThrows(UnsupportedException.class, () -> Model.open(file));
    assertEquals(file + " is no model file Filigree knows", refusal.problem());
    assertEquals("pass a .onnx or .filigree file, or the folder of a checkpoint", refusal.remedy());
  }

  @ParameterizedTest
  @ValueSource(strings = {"missing.onnx", "missing.filigree"})
  void aMissingFileIsNamed(String name) {
    Path file = folder.resolve(name);
    FormatException refusal = assertThrows(FormatException.class, () -> Model.open(file));
    assertEquals(file + " does not exist", refusal.problem());
  }
}
