package dev.filigree.format.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {
  @TempDir Path folder;

  @Test
  void theFileIsLengthHeaderPaddedWithSpacesAndBytesWideTypesFirst() throws IOException {
    Path file = folder.resolve("small.safetensors");
    new SafetensorsWriter()
        .metadata("k", "v")
        .add("bytes", SafetensorsType.U8, Shape.of(3), MemorySegment.ofArray(new byte[] {7, 8, 9}))
        .add("floats", Tensor.of(new float[] {1, -0f}, 1, 2))
        .write(file);
    String header =
        "{\"__metadata__\":{\"k\":\"v\"},"
            + "\"floats\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
            + "\"bytes\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]}}";
    int length = Math.ceilDiv(8 + header.length(), 64) * 64 - 8;
    ByteBuffer expected = ByteBuffer.allocate(8 + length + 11).order(ByteOrder.LITTLE_ENDIAN);
    expected.putLong(length);
    expected.put((header + " ".repeat(length - header.length())).getBytes(StandardCharsets.UTF_8));
    expected.putFloat(1).putFloat(-0f).put(new byte[] {7, 8, 9});
    assertArrayEquals(expected.array(), Files.readAllBytes(file));
  }

  @Seeded(50)
  void whatIsWrittenIsReadBackBitByBitAndAlignedToItsElements(Samples samples) {
    SafetensorsWriter writer = new SafetensorsWriter();
    Map<String, MemorySegment> written = new LinkedHashMap<>();
    for (int i = samples.between(0, 8); i > 0; i--) {
      SafetensorsType type = samples.oneOf(List.of(SafetensorsType.values()));
      Shape shape = Shape.of(samples.between(0, 5), samples.between(1, 9));
      MemorySegment data =
          MemorySegment.ofArray(samples.bytes((int) shape.elements() * type.bytes()));
      String name = samples.oneOf(List.of("layer.", "\"quoted\" \\ ", "ünïcode 🕸 ")) + i;
      writer.add(name, type, shape, data);
      written.put(name, data);
    }
    Path file = folder.resolve("any.safetensors");
    writer.write(file);
    try (Arena arena = Arena.ofConfined()) {
      SafetensorsFile read = SafetensorsFile.map(file, arena);
      assertEquals(written.keySet(), read.entries().keySet());
      for (SafetensorsFile.Entry entry : read.entries().values()) {
        assertEquals(-1, entry.data().mismatch(written.get(entry.name())), entry.name());
        assertEquals(0, entry.data().address() % entry.type().bytes());
      }
      long bytes = written.values().stream().mapToLong(MemorySegment::byteSize).sum();
      assertEquals(bytes, writer.bytes());
    }
  }

  @Test
  void tensorsLargerThanTheBufferAndOnAnyKindOfMemoryAreWrittenWhole() {
    int elements = (3 << 20) / 8 + 1;
    long[] values = new long[elements];
    for (int i = 0; i < elements; i++) {
      values[i] = i * 0x9E3779B97F4A7C15L;
    }
    Path file = folder.resolve("large.safetensors");
    try (Arena arena = Arena.ofConfined()) {
      Tensor outside = Tensor.allocate(arena, DType.I64, Shape.of(elements));
      MemorySegment.copy(values, 0, outside.data(), DType.LONG, 0, elements);
      new SafetensorsWriter()
          .add("heap", Tensor.of(values, elements))
          .add("native", outside)
          .write(file);
      SafetensorsFile read = SafetensorsFile.map(file, arena);
      for (String name : List.of("heap", "native")) {
        assertArrayEquals(values, read.entry(name).orElseThrow().tensor().toLongs(), name);
      }
    }
  }

  @Test
  void aStridedViewIsWrittenInRowMajorOrder() {
    Path file = folder.resolve("view.safetensors");
    new SafetensorsWriter()
        .add("view", Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3).permute(1, 0))
        .write(file);
    try (Arena arena = Arena.ofConfined()) {
      Tensor read = SafetensorsFile.map(file, arena).entry("view").orElseThrow().tensor();
      assertEquals(Shape.of(3, 2), read.shape());
      assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6}, read.toFloats());
    }
  }

  @Test
  void aNameIsGivenOnceAndIsNotTheOneOfTheMetadata() {
    SafetensorsWriter writer = new SafetensorsWriter().add("a", Tensor.of(new float[1], 1));
    InputException twice =
        assertThrows(InputException.class, () -> writer.add("a", Tensor.of(new float[1], 1)));
    assertEquals("two tensors are named 'a'", twice.problem());
    assertThrows(
        InputException.class, () -> writer.add("__metadata__", Tensor.of(new float[1], 1)));
  }

  @Test
  void bytesMustBeAsManyAsTypeAndShapeTake() {
    MemorySegment seven = MemorySegment.ofArray(new byte[7]);
    InputException refusal =
        assertThrows(
            InputException.class,
            () -> new SafetensorsWriter().add("a", SafetensorsType.F32, Shape.of(2), seven));
    assertEquals("tensor 'a' of type F32[2] has 7 bytes", refusal.problem());
  }
}
