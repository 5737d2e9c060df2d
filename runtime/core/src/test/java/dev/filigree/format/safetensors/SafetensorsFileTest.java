package dev.filigree.format.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.UnsupportedException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {
  @Test
  void tensorsAndMetadataAreReadWhereTheyLie() {
    MemorySegment file =
        file(
            """
            {"__metadata__":{"format":"pt","q":"a\\"b"},
             "b":{"dtype":"I64","shape":[2],"data_offsets":[4,20]},
             "a":{"shape":[2,2],"data_offsets":[0,4],"dtype":"I8"},
             "none":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},
             "scalar":{"dtype":"BF16","shape":[],"data_offsets":[20,22]}}   \
            """,
            1,
            2,
            3,
            4,
            5,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            6,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0x80,
            0x3f);
    SafetensorsFile read = SafetensorsFile.read("x.safetensors", file);
    assertEquals(List.of("b", "a", "none", "scalar"), List.copyOf(read.entries().keySet()));
    assertEquals(Map.of("format", "pt", "q", "a\"b"), read.metadata());
    assertArrayEquals(new long[] {5, 6}, tensor(read, "b").tensor().toLongs());
    assertArrayEquals(new float[] {1, 2, 3, 4}, tensor(read, "a").tensor().toFloats());
    assertEquals(Shape.of(2, 2), tensor(read, "a").shape());
    assertEquals(0, tensor(read, "none").tensor().elements());
    assertEquals(1, tensor(read, "scalar").tensor().getDouble(0));
    assertTrue(read.entry("c").isEmpty());
    file.set(DType.BYTE, file.byteSize() - 22, (byte) 9);
    assertEquals(9, tensor(read, "a").tensor().getLong(0), "the same memory, not a copy");
  }

  @Test
  void aTypeThatNoTensorHasIsListedButGivesNoTensor() {
    SafetensorsFile read =
        SafetensorsFile.read(
            "x.safetensors",
            file(
                "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                new int[1]));
    UnsupportedException refusal =
        assertThrows(UnsupportedException.class, () -> tensor(read, "a").tensor());
    assertEquals("tensor 'a' has the type F8_E4M3", refusal.problem());
  }

  @ParameterizedTest
  @ValueSource(strings = {"F4", "f32", "COMPLEX64", ""})
  void aTypeTheFormatDoesNotHaveIsRefused(String type) {
    String header = "{\"a\":{\"dtype\":\"" + type + "\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    UnsupportedException refusal =
        assertThrows(
            UnsupportedException.class,
            () -> SafetensorsFile.read("x.safetensors", file(header, 0, 0, 0, 0)));
    assertEquals("x.safetensors: tensor 'a' has the type '" + type + "'", refusal.problem());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        // four bytes of tensors follow each of these headers
        "[] | START_ARRAY instead of START_OBJECT (in its header at byte 8)",
        "{'a':[]} | START_ARRAY instead of START_OBJECT (in its header at byte 13)",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]} | no valid JSON at byte",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}} {} | something behind its header",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}x | no valid JSON at byte",
        "{'a':{'dtype':3,'shape':[1],'data_offsets':[0,4]}} | VALUE_NUMBER_INT instead of",
        "{'a':{'shape':[1],'data_offsets':[0,4]}} | does not say type, shape and place of tensor"
            + " 'a'",
        "{'a':{'dtype':'F32','data_offsets':[0,4]}} | does not say type, shape and place",
        "{'a':{'dtype':'F32','shape':[1]}} | does not say type, shape and place",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0]}} | does not say type, shape and place",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4],'x':1}} | says 'x' of tensor 'a'",
        "{'a':{'dtype':'F32','shape':1,'data_offsets':[0,4]}} | VALUE_NUMBER_INT instead of START",
        "{'a':{'dtype':'F32','shape':[1.0],'data_offsets':[0,4]}} | VALUE_NUMBER_FLOAT instead of",
        "{'a':{'dtype':'F32','shape':[-1],'data_offsets':[0,4]}} | the negative number -1",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,5]}} | at bytes 0 to 5 of 4",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[4,0]}} | at bytes 4 to 0 of 4",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[1,4]}} | type F32[1] 3 bytes",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}} | type F32[2] 4 bytes",
        "{'a':{'dtype':'F32','shape':[4611686018427387905],'data_offsets':[0,4]}} | 4 bytes",
        "{'a':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,4]}} | the shape",
        "{'a':{'dtype':'F32','shape':[9223372036854775808],'data_offsets':[0,4]}} | JSON at byte",
        "{'a':{'dtype':'U8','shape':[3],'data_offsets':[0,3]}} | 1 bytes that belong to no tensor",
        "{'a':{'dtype':'U8','shape':[3],'data_offsets':[1,4]}} | a hole from byte 0 to tensor 'a'"
            + " at 1",
        "{'a':{'dtype':'U8','shape':[3],'data_offsets':[0,3]},'b':{'dtype':'U8','shape':[2],'data_offsets':[2,4]}}"
            + " | stores tensor 'b' at byte 2 inside another one",
        "{'a':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},'b':{'dtype':'U8','shape':[2],'data_offsets':[2,4]}}"
            + " | a hole from byte 1 to tensor 'b' at 2",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}"
            + " | JSON at byte",
        "{'a':{'dtype':'F32','dtype':'I32','shape':[1],'data_offsets':[0,4]}} | JSON at byte",
        "{'__metadata__':{'a':1},'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}} |"
            + " VALUE_NUMBER_INT instead of VALUE_STRING",
        "{'__metadata__':{'a':'b','a':'c'}} | JSON at byte",
        "{'a':{'dtype':'F32','shape':[[[[[[[[[1]]]]]]]]],'data_offsets':[0,4]}} | START_ARRAY"
            + " instead of",
        "{} | 4 bytes that belong to no tensor"
      })
  void aHeaderThatLiesIsRefusedWithFileAndPlace(String header, String problem) {
    damaged(problem, file(header.replace('\'', '"'), 0, 0, 0, 0));
  }

  @Test
  void bytesThatAreNoTextAreRefused() {
    MemorySegment file = file("{\"a\":{}}", 0);
    file.set(DType.BYTE, 10, (byte) 0xff);
    damaged("no valid JSON at byte", file);
  }

  @Test
  void aTensorOfMoreAxesThanAnyModelHasIsRefused() {
    String axes = "1,".repeat(64) + "1";
    damaged(
        "more than 64 axes",
        file("{\"a\":{\"dtype\":\"U8\",\"shape\":[" + axes + "],\"data_offsets\":[0,1]}}", 0));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7})
  void aFileShorterThanTheLengthOfItsHeaderIsRefused(int bytes) {
    damaged("has only " + bytes + " bytes", MemorySegment.ofArray(new byte[bytes]));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 93, 1L << 40, Long.MAX_VALUE, -1, Long.MIN_VALUE})
  void aHeaderThatDoesNotFitTheFileIsRefused(long length) {
    MemorySegment file = MemorySegment.ofArray(new byte[100]);
    file.set(DType.LONG, 0, length);
    damaged(
        "claims at byte 0 a header of "
            + Long.toUnsignedString(length)
            + " bytes, in a file of 100",
        file);
  }

  @Test
  void aHeaderBeyondHundredMegabytesIsRefusedUnread(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("large.safetensors");
    try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
      sparse.setLength(200_000_000);
      sparse.writeLong(Long.reverseBytes(100_000_001));
    }
    try (Arena arena = Arena.ofConfined()) {
      FormatException refusal =
          assertThrows(FormatException.class, () -> SafetensorsFile.map(file, arena));
      assertTrue(
          refusal.problem().startsWith(file + " is no valid safetensors file"), refusal.problem());
      assertTrue(refusal.problem().contains("100000001 bytes"), refusal.problem());
    }
  }

  private static SafetensorsFile.Entry tensor(SafetensorsFile file, String name) {
    return file.entry(name).orElseThrow();
  }

  private static void damaged(String problem, MemorySegment file) {
    FormatException refusal =
        assertThrows(FormatException.class, () -> SafetensorsFile.read("x.safetensors", file));
    assertTrue(refusal.problem().startsWith("x.safetensors "), refusal.problem());
    assertTrue(refusal.problem().contains(problem), refusal.problem());
    assertEquals("download or write the file again", refusal.remedy());
  }

  private static MemorySegment file(String header, int... tensors) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    out.writeBytes(
        ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(text.length).array());
    out.writeBytes(text);
    for (int value : tensors) {
      out.write(value);
    }
    return MemorySegment.ofArray(out.toByteArray());
  }
}
