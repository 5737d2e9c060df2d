package dev.filigree.format.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.FormatException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The wire format, byte by byte. */
final class ProtoReaderTest {
  private static ProtoReader of(String hex) {
    byte[] bytes = HexFormat.of().parseHex(hex.replace(" ", ""));
    return ProtoReader.of("test.onnx", MemorySegment.ofArray(bytes));
  }

  private static ProtoReader at(String hex) {
    ProtoReader reader = of(hex);
    assertTrue(reader.next());
    return reader;
  }

  @ParameterizedTest
  @CsvSource({
    "08 00, 0",
    "08 7f, 127",
    "08 80 01, 128",
    "08 ff ff ff ff 07, 2147483647",
    "08 ff ff ff ff ff ff ff ff 7f, 9223372036854775807",
    "08 ff ff ff ff ff ff ff ff ff 01, -1",
    "08 80 80 80 80 80 80 80 80 80 01, -9223372036854775808",
    // more bytes than needed are legal
    "08 81 00, 1"
  })
  void numbersAreRead(String hex, long number) {
    ProtoReader reader = at(hex);
    assertEquals(1, reader.field());
    assertEquals(number, reader.number());
    assertFalse(reader.next());
  }

  @Test
  void aNumberOfMoreThanTenBytesIsRefused() {
    ProtoReader reader = at("08 ff ff ff ff ff ff ff ff ff ff 01");
    FormatException refused = assertThrows(FormatException.class, reader::number);
    assertTrue(refused.getMessage().contains("more than 64 bits"), refused.getMessage());
  }

  @Test
  void aLengthBeyondTheMessageIsRefusedWithFileAndOffset() {
    ProtoReader reader = at("0a 7f 61 62");
    FormatException refused = assertThrows(FormatException.class, reader::text);
    assertTrue(refused.getMessage().contains("test.onnx"), refused.getMessage());
    assertTrue(refused.getMessage().contains("offset 2"), refused.getMessage());
    assertTrue(refused.getMessage().contains("127 bytes"), refused.getMessage());
  }

  @Test
  void aLengthThatIsNegativeAsALongIsRefused() {
    ProtoReader reader = at("0a ff ff ff ff ff ff ff ff ff 01 61");
    FormatException refused = assertThrows(FormatException.class, reader::skip);
    assertTrue(refused.getMessage().contains("18446744073709551615"), refused.getMessage());
  }

  @Test
  void anInnerMessageCannotReadPastItsEnd() {
    // a message of two bytes whose text claims three, which the outer message would have
    ProtoReader inner = at("0a 02 0a 03 61 62 63").message();
    assertTrue(inner.next());
    assertThrows(FormatException.class, inner::text);
  }

  @Test
  void offsetsInMessagesCountFromTheFilesStart() {
    ProtoReader inner = at("0a 03 0a 7f 61").message();
    assertTrue(inner.next());
    FormatException refused = assertThrows(FormatException.class, inner::text);
    assertTrue(refused.getMessage().contains("offset 4 "), refused.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"00 00", "07 00", "80 80 80 80 80 01 00"})
  void fieldsThatCannotExistAreRefused(String hex) {
    assertThrows(FormatException.class, of(hex)::next);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0b", "0c", "0e", "0f"})
  void groupsAndReservedWireTypesAreRefused(String hex) {
    FormatException refused = assertThrows(FormatException.class, at(hex)::skip);
    assertTrue(refused.getMessage().contains("wire type"), refused.getMessage());
  }

  @Test
  void aFieldInAnotherFormThanExpectedIsRefused() {
    assertThrows(FormatException.class, at("08 01")::text);
    assertThrows(FormatException.class, at("08 01")::message);
    assertThrows(FormatException.class, at("08 01")::real);
    assertThrows(FormatException.class, at("0a 00")::number);
    assertThrows(FormatException.class, at("0d 00 00 00 00")::number);
  }

  @Test
  void fixedWidthFieldsThatAreCutOffAreRefused() {
    assertThrows(FormatException.class, at("0d 00 00 00")::real);
    assertThrows(FormatException.class, at("09 00 00 00 00")::skip);
    assertThrows(FormatException.class, at("08 80")::number);
  }

  @Test
  void skippingLandsOnTheNextField() {
    ProtoReader reader =
        of("08 ff 01  11 00 01 02 03 04 05 06 07  1a 02 61 62  25 00 00 80 3f  28 2a");
    List<Integer> fields = new ArrayList<>();
    while (reader.next()) {
      fields.add(reader.field());
      if (reader.field() == 5) {
        assertEquals(42, reader.number());
      } else {
        reader.skip();
      }
    }
    assertEquals(List.of(1, 2, 3, 4, 5), fields);
  }

  @Test
  void repeatedValuesMayBePackedOrNot() {
    List<Long> numbers = new ArrayList<>();
    ProtoReader reader = of("08 01  0a 03 02 ac 02  08 03");
    while (reader.next()) {
      reader.numbers(numbers::add);
    }
    assertEquals(List.of(1L, 2L, 300L, 3L), numbers);
    List<Float> reals = new ArrayList<>();
    reader = of("0d 00 00 80 3f  0a 08 00 00 00 40 00 00 40 40");
    while (reader.next()) {
      reader.reals(reals::add);
    }
    assertEquals(List.of(1f, 2f, 3f), reals);
    assertThrows(FormatException.class, () -> at("0a 03 00 00 80").reals(reals::add));
    assertThrows(FormatException.class, () -> at("0a 02 01 80").numbers(numbers::add));
  }

  @Test
  void messagesOfAnySizeReadTheSame() {
    // small messages are read from a copy and large ones where they lie
    for (int size : new int[] {0, 1, 65_535, 65_536, 65_537, 200_000}) {
      byte[] payload = new byte[size];
      Arrays.fill(payload, (byte) 'a');
      ProtoWriter inner = new ProtoWriter().number(1, 300).bytes(2, payload).text(3, "end");
      byte[] outer = new ProtoWriter().message(7, inner).toBytes();
      ProtoReader reader = ProtoReader.of("test.onnx", MemorySegment.ofArray(outer));
      assertTrue(reader.next());
      ProtoReader message = reader.message();
      assertTrue(message.next());
      assertEquals(300, message.number());
      assertTrue(message.next());
      assertEquals(-1, message.bytes().mismatch(MemorySegment.ofArray(payload)));
      assertTrue(message.next());
      assertEquals("end", message.text());
      assertFalse(message.next());
      assertFalse(reader.next());
    }
  }
}
