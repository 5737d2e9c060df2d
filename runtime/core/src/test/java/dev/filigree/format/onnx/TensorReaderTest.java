package dev.filigree.format.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.FormatException;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.OnnxTypes;
import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Initializers in every type, raw and listed. */
final class TensorReaderTest {
  private static final String SOURCE = "test.onnx";

  private static Tensor read(ProtoWriter tensor) {
    return TensorReader.read(
            SOURCE,
            ProtoReader.of(SOURCE, MemorySegment.ofArray(tensor.toBytes())),
            OnnxReader.complete(SOURCE))
        .constant()
        .toTensor();
  }

  private static <E extends FiligreeException> void assertRefused(
      Class<E> type, ProtoWriter tensor, String... mentioned) {
    E refused = assertThrows(type, () -> read(tensor));
    for (String part : mentioned) {
      assertTrue(refused.getMessage().contains(part), refused.getMessage());
    }
  }

  private static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex.replace(" ", ""));
  }

  @ParameterizedTest
  @CsvSource({
    "F32, 0000803f 000000c0, 1, -2",
    "F16, 003c 00c0, 1, -2",
    "BF16, 803f 00c0, 1, -2",
    "I8, 7f 80, 127, -128",
    "U8, 7f 80, 127, 128",
    "I32, ffffff7f 00000080, 2147483647, -2147483648",
    "I64, ffffffffffffff7f 0000000000000080, 9223372036854775807, -9223372036854775808",
    "BOOL, 01 00, 1, 0"
  })
  void rawDataOfEveryTypeIsRead(DType dtype, String hex, double first, double second) {
    Tensor tensor = read(OnnxBuilder.raw("w", dtype, bytes(hex), 2));
    assertEquals(dtype, tensor.dtype());
    assertEquals(first, tensor.getDouble(0));
    assertEquals(second, tensor.getDouble(1));
  }

  @Test
  void rawDataStaysWhereItLies() {
    byte[] encoded = OnnxBuilder.raw("w", DType.F32, new byte[1 << 17], 1 << 15).toBytes();
    MemorySegment file = MemorySegment.ofArray(encoded);
    Tensor tensor =
        TensorReader.read(SOURCE, ProtoReader.of(SOURCE, file), OnnxReader.complete(SOURCE))
            .constant()
            .toTensor();
    file.set(DType.FLOAT, file.byteSize() - 4, 7);
    assertEquals(7, tensor.getDouble((1 << 15) - 1));
  }

  private static ProtoWriter listed(DType dtype, int field, long... values) {
    ProtoWriter tensor = OnnxBuilder.tensor("w", OnnxTypes.number(dtype), values.length);
    for (long value : values) {
      tensor.number(field, value);
    }
    return tensor;
  }

  @Test
  void listedValuesOfEveryTypeAreRead() {
    assertArrayEquals(new long[] {-1, 2}, read(listed(DType.I32, 5, -1, 2)).toLongs());
    assertArrayEquals(new long[] {-1, 2}, read(listed(DType.I8, 5, -1, 2)).toLongs());
    assertArrayEquals(new long[] {255, 2}, read(listed(DType.U8, 5, 255, 2)).toLongs());
    assertArrayEquals(new long[] {1, 0}, read(listed(DType.BOOL, 5, 1, 0)).toLongs());
    assertArrayEquals(
        new long[] {Long.MIN_VALUE, 2}, read(listed(DType.I64, 7, Long.MIN_VALUE, 2)).toLongs());
    // halves are listed as the integers of their bits
    assertArrayEquals(new float[] {1, -2}, read(listed(DType.F16, 5, 0x3c00, 0xc000)).toFloats());
    assertArrayEquals(new float[] {1, -2}, read(listed(DType.BF16, 5, 0x3f80, 0xc000)).toFloats());
    ProtoWriter floats = OnnxBuilder.tensor("w", 1, 2).bytes(4, bytes("0000803f 000000c0"));
    assertArrayEquals(new float[] {1, -2}, read(floats).toFloats());
  }

  @Test
  void longListsAreReadWhole() {
    long[] values = new long[1000];
    for (int i = 0; i < values.length; i++) {
      values[i] = i * 37L - 500;
    }
    assertArrayEquals(values, read(listed(DType.I64, 7, values)).toLongs());
  }

  @Test
  void scalarsAndEmptyTensorsAreRead() {
    assertEquals("f32[]", read(OnnxBuilder.raw("w", DType.F32, new byte[4])).toString());
    assertEquals("f32[0, 3]", read(OnnxBuilder.raw("w", DType.F32, new byte[0], 0, 3)).toString());
    assertEquals("i64[0]", read(OnnxBuilder.tensor("w", 7, 0)).toString());
  }

  @ParameterizedTest
  @CsvSource({
    "8, string",
    "14, complex64",
    "15, complex128",
    "0, element type 0",
    "99, element type 99"
  })
  void otherTypesAreRefusedByName(long number, String name) {
    assertRefused(
        UnsupportedException.class, OnnxBuilder.tensor("w", number, 1), SOURCE, "'w'", name);
  }

  @Test
  void aTypeThatIsRefusedIsNamedWithItsTensorWhoseNameComesLater() {
    ProtoWriter tensor = new ProtoWriter().number(1, 1).number(2, 14).number(5, 3).text(8, "late");
    assertRefused(UnsupportedException.class, tensor, "'late'", "complex64");
  }

  @Test
  void floatsOfEightBitsAndFourAreReadAsTheirValues() {
    Tensor eight = read(OnnxBuilder.tensor("w", 17, 2).bytes(9, bytes("38 c0")));
    assertEquals("f32[2]", eight.toString());
    assertArrayEquals(new float[] {1, -2}, eight.toFloats());
    Tensor four = read(OnnxBuilder.tensor("w", 23, 3).bytes(9, bytes("f2 05")));
    assertArrayEquals(new float[] {1, -6, 3}, four.toFloats());
  }

  @ParameterizedTest
  @EnumSource
  void anotherAmountOfDataThanTheShapeTakesIsRefused(DType dtype) {
    for (int bytes : new int[] {0, 2 * dtype.bytes() - 1, 2 * dtype.bytes() + 1}) {
      assertRefused(
          FormatException.class,
          OnnxBuilder.raw("w", dtype, new byte[bytes], 2),
          "'w'",
          bytes + " bytes",
          "instead of " + 2 * dtype.bytes());
    }
  }

  @Test
  void valuesInTheListOfAnotherTypeAreRefused() {
    assertRefused(FormatException.class, listed(DType.F32, 7, 1, 2), "'w'");
    assertRefused(FormatException.class, listed(DType.I64, 5, 1, 2, 3).number(5, 4), "'w'");
  }

  @Test
  void impossibleShapesAreRefused() {
    for (long[] dims :
        new long[][] {{-1}, {2, -3}, {1L << 40, 1L << 40}, {Long.MAX_VALUE, 2}, {1L << 62, 1}}) {
      assertRefused(
          FormatException.class, OnnxBuilder.raw("w", DType.F32, new byte[8], dims), "'w'");
    }
    // as many elements as a long counts, of which there is no byte
    assertRefused(
        FormatException.class, OnnxBuilder.raw("w", DType.U8, new byte[8], Long.MAX_VALUE), "'w'");
  }

  @Test
  void thousandsOfAxesAreRefused() {
    ProtoWriter tensor = OnnxBuilder.raw("w", DType.U8, new byte[1]);
    tensor.bytes(1, new byte[1 << 16]);
    assertRefused(FormatException.class, tensor, "more than 64 axes");
  }

  @Test
  void dataOutsideACompleteModelIsRefused() {
    ProtoWriter tensor = OnnxBuilder.tensor("w", 1, 2).number(14, 1);
    assertRefused(FormatException.class, tensor, "'w'", "outside the model");
  }
}
