package dev.filigree.format.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Initializers whose data lies in files beside the model. */
final class ExternalDataTest {
  @TempDir Path root;
  private Path folder;
  private Path model;

  @BeforeEach
  void writeData() throws Exception {
    folder = Files.createDirectories(root.resolve("models/one"));
    model = folder.resolve("model.onnx");
    byte[] data = new byte[20];
    MemorySegment floats = MemorySegment.ofArray(data);
    for (int i = 0; i < 5; i++) {
      floats.set(DType.FLOAT, 4L * i, i + 0.5f);
    }
    Files.write(folder.resolve("weights.bin"), data);
    Files.createDirectories(folder.resolve("part"));
    Files.write(folder.resolve("part/weights.bin"), data);
    Files.write(root.resolve("models/secret.bin"), data);
    Files.createDirectories(root.resolve("models/one-sibling"));
    Files.write(root.resolve("models/one-sibling/weights.bin"), data);
  }

  private Graph read(Map<String, String> entries, Arena arena) throws Exception {
    ProtoWriter tensor = OnnxBuilder.tensor("w", 1, 2);
    entries.forEach(
        (key, value) -> tensor.message(13, new ProtoWriter().text(1, key).text(2, value)));
    OnnxBuilder builder =
        new OnnxBuilder(13)
            .input("x", DType.F32, 2)
            .output("y", DType.F32, 2)
            .initializer(tensor.number(14, 1))
            .node("Add", "y", "x", "w");
    Files.write(model, builder.toBytes());
    return OnnxReader.read(model, arena);
  }

  private void assertRefused(Map<String, String> entries, String... mentioned) {
    try (Arena arena = Arena.ofConfined()) {
      FormatException refused =
          assertThrows(FormatException.class, () -> read(entries, arena), entries::toString);
      for (String part : mentioned) {
        assertTrue(refused.getMessage().contains(part), refused.getMessage());
      }
    }
  }

  private static Map<String, String> place(String location, String offset, String length) {
    Map<String, String> entries = new LinkedHashMap<>();
    entries.put("location", location);
    if (offset != null) {
      entries.put("offset", offset);
    }
    if (length != null) {
      entries.put("length", length);
    }
    return entries;
  }

  @ParameterizedTest
  @CsvSource({
    "weights.bin, 0, 8, 0.5, 1.5",
    "weights.bin, 4, 8, 1.5, 2.5",
    "weights.bin, 12, 8, 3.5, 4.5",
    "part/weights.bin, 8, 8, 2.5, 3.5",
    "part/../weights.bin, , , 0.5, 1.5",
    "./weights.bin, 4, , 1.5, 2.5"
  })
  void dataIsFoundInTheModelsFolder(
      String location, String offset, String length, float first, float second) throws Exception {
    try (Arena arena = Arena.ofConfined()) {
      Tensor w = read(place(location, offset, length), arena).constants().get("w").toTensor();
      assertArrayEquals(new float[] {first, second}, w.toFloats());
    }
  }

  @Test
  void oneFileIsMappedOnceForAllItsInitializers() throws Exception {
    try (Arena arena = Arena.ofConfined()) {
      ExternalData outside = ExternalData.beside(model, arena);
      Shape two = Shape.of(2);
      Tensor first = outside.find("a", DType.F32, two, place("weights.bin", "0", null)).toTensor();
      Tensor second =
          outside.find("b", DType.F32, two, place("./weights.bin", "8", null)).toTensor();
      assertEquals(8, second.data().address() - first.data().address());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../secret.bin",
        "../one-sibling/weights.bin",
        "part/../../secret.bin",
        "/etc/passwd",
        "../../../../../../../../etc/passwd",
        "bad\0name"
      })
  void aPathOutOfTheFolderIsRefused(String location) {
    assertRefused(place(location, "0", "8"), model.toString(), "'w'", "no file in its folder");
  }

  @ParameterizedTest
  @CsvSource({
    "13, 8",
    "20, 8",
    "21, 8",
    "9223372036854775807, 8",
    "0, 7",
    "0, 9",
    "0, 20",
    "0, 9223372036854775807",
    "0, 0"
  })
  void aPlaceThatDoesNotHoldTheTensorIsRefused(String offset, String length) {
    assertRefused(
        place("weights.bin", offset, length), "weights.bin has 20 bytes", "'w'", "at offset");
  }

  @ParameterizedTest
  @CsvSource({"-1, 8", "0, -8", "x, 8", "0, 8 bytes", "99999999999999999999, 8", "0x10, 8"})
  void aPlaceThatIsNoNumberIsRefused(String offset, String length) {
    assertRefused(place("weights.bin", offset, length), "weights.bin", "'w'");
  }

  @Test
  void aMissingFileOrLocationIsRefused() {
    assertRefused(place("gone.bin", "0", "8"), "gone.bin does not exist");
    assertRefused(place("part", "0", "8"), "part is a folder");
    assertRefused(Map.of("offset", "0"), model.toString(), "'w'", "does not say where");
  }
}
