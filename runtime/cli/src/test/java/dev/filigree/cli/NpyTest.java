package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class NpyTest {
  @TempDir Path folder;

  private static byte[] header(int version, String dictionary, int claimed) {
    ByteBuffer head = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
    head.put((byte) 0x93).put("NUMPY".getBytes(StandardCharsets.US_ASCII));
    head.put((byte) version).put((byte) 0);
    if (version == 1) {
      head.putShort((short) claimed);
    } else {
      head.putInt(claimed);
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.write(head.array(), 0, head.position());
    bytes.writeBytes(dictionary.getBytes(StandardCharsets.ISO_8859_1));
    return bytes.toByteArray();
  }

  private Path file(int version, String dictionary, byte... data) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(header(version, dictionary, dictionary.length()));
    bytes.writeBytes(data);
    return Files.write(folder.resolve("array.npy"), bytes.toByteArray());
  }

  private static byte[] floats(float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      bytes.putFloat(value);
    }
    return bytes.array();
  }

  private void refuses(Class<? extends FiligreeException> type, String part) {
    Path file = folder.resolve("array.npy");
    FiligreeException refused = assertThrows(type, () -> Npy.read(file));
    assertTrue(refused.getMessage().contains(file.toString()), refused.getMessage());
    assertTrue(refused.getMessage().contains(part), refused.getMessage());
  }

  @ParameterizedTest
  @CsvSource({"1", "2", "3"})
  void readsWhatNumpyWritesInEveryVersion(int version) throws IOException {
    String dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }        \n";
    Tensor tensor = Npy.read(file(version, dictionary, floats(1, -2, 3.5f, 0, 5, 6)));
    assertEquals(Shape.of(2, 3), tensor.shape());
    assertEquals(DType.F32, tensor.dtype());
    assertArrayEquals(new float[] {1, -2, 3.5f, 0, 5, 6}, tensor.toFloats());
  }

  @Test
  void readsArraysStoredByColumnsAsTheSameArray() throws IOException {
    // numpy.save(f, numpy.asfortranarray([[1, 2, 3], [4, 5, 6]], dtype=float32))
    String dictionary = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n";
    Tensor tensor = Npy.read(file(1, dictionary, floats(1, 4, 2, 5, 3, 6)));
    assertEquals(Shape.of(2, 3), tensor.shape());
    assertTrue(tensor.isContiguous());
    assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, tensor.toFloats());
  }

  @Test
  void readsScalarsAndEmptyArrays() throws IOException {
    Tensor scalar =
        Npy.read(file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': ()}\n", floats(7)));
    assertEquals(Shape.SCALAR, scalar.shape());
    assertEquals(7, scalar.getDouble(0));
    Tensor empty = Npy.read(file(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (0, 4)}\n"));
    assertEquals(Shape.of(0, 4), empty.shape());
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = {"BF16"})
  void writesWhatItReads(DType dtype) {
    Tensor tensor = Tensor.zeros(dtype, Shape.of(3, 5));
    for (int i = 0; i < 15; i++) {
      if (dtype.isFloating()) {
        tensor.setDouble(i, i / 4.0);
      } else {
        tensor.setLong(i, dtype == DType.BOOL ? i % 2 : i);
      }
    }
    Path file = folder.resolve("out.npy");
    Npy.write(file, tensor);
    Tensor read = Npy.read(file);
    assertEquals(dtype, read.dtype());
    assertEquals(tensor.shape(), read.shape());
    assertEquals(-1, tensor.data().mismatch(read.data()));
  }

  @Test
  void writesTheHeaderNumpyExpects() throws IOException {
    Path file = folder.resolve("out.npy");
    Npy.write(file, Tensor.of(new float[] {1, 2, 3}, 3));
    byte[] bytes = Files.readAllBytes(file);
    int length = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getShort(8);
    assertEquals(0, (10 + length) % 64, "data starts at a multiple of 64 bytes");
    assertEquals('\n', bytes[9 + length]);
    assertEquals(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
        new String(bytes, 10, length, StandardCharsets.US_ASCII).strip());
    assertArrayEquals(floats(1, 2, 3), Arrays.copyOfRange(bytes, 10 + length, bytes.length));
  }

  @Test
  void writesViewsAsTheyAreSeen() {
    Path file = folder.resolve("out.npy");
    Npy.write(file, Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3).permute(1, 0));
    assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6}, Npy.read(file).toFloats());
  }

  @Test
  void refusesToWriteATypeNumpyDoesNotHave() {
    Path file = folder.resolve("out.npy");
    assertThrows(
        UnsupportedException.class, () -> Npy.write(file, Tensor.zeros(DType.BF16, Shape.of(2))));
    assertTrue(Files.notExists(file));
  }

  @Test
  void refusesWhatIsNoArray() throws IOException {
    refuses(FormatException.class, "does not exist");
    Path file = folder.resolve("array.npy");
    for (String contents : List.of("", "x", "no array at all, but a long text")) {
      Files.writeString(file, contents);
      refuses(FormatException.class, contents.isEmpty() ? "is empty" : "is no .npy file");
    }
    Files.delete(file);
    Files.createDirectory(file);
    refuses(FormatException.class, "is a folder");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'fortran_order': False, 'shape': (2,)}                     | has the header",
        "{'descr': '<f4', 'shape': (2,)}                             | has the header",
        "{'descr': '<f4', 'fortran_order': False}                    | has the header",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}    | has the header",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}     | holds 8 bytes",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}     | holds 8 bytes",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807,)}  | has the"
            + " shape",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)} | has the"
            + " shape",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)} | has the"
            + " shape",
      })
  void refusesHeadersThatLie(String dictionary, String message) throws IOException {
    file(1, dictionary, floats(1, 2));
    refuses(FormatException.class, message);
  }

  @Test
  void refusesTypesItDoesNotHave() throws IOException {
    for (String type : List.of("<c8", ">f4", "|O", "<U5")) {
      file(1, "{'descr': '" + type + "', 'fortran_order': False, 'shape': (2,)}", floats(1, 2));
      refuses(UnsupportedException.class, type);
    }
  }

  @Test
  void refusesHeadersLongerThanTheFile() throws IOException {
    Path file = folder.resolve("array.npy");
    Files.write(file, header(1, "{'descr'", 60_000));
    refuses(FormatException.class, "60000 bytes");
    Files.write(file, header(2, "{'descr'", -1));
    refuses(FormatException.class, "4294967295 bytes");
    Files.write(file, header(9, "{'descr'", 8));
    refuses(UnsupportedException.class, "version 9");
  }

  @Test
  void showsNoControlCharactersOfAHostileHeader() throws IOException {
    file(1, "{'descr': '\033[2J', 'fortran_order': False, 'shape': (2,)}", floats(1, 2));
    refuses(UnsupportedException.class, "?[2J");
  }

  @Seeded(300)
  void mutatedFilesAreReadOrRefusedByName(Samples samples) throws IOException {
    Path file = folder.resolve("array.npy");
    Npy.write(file, Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3));
    byte[] bytes = Files.readAllBytes(file);
    for (int change = samples.between(0, 3); change > 0; change--) {
      bytes[samples.between(0, bytes.length - 1)] = (byte) samples.between(0, 255);
    }
    int length = samples.chance(0.25) ? samples.between(0, bytes.length) : bytes.length;
    Files.write(file, Arrays.copyOf(bytes, length));
    try {
      Tensor tensor = Npy.read(file);
      // what is read fits its shape
      assertEquals(tensor.bytes(), tensor.data().byteSize());
    } catch (FiligreeException refused) {
      assertTrue(refused.getMessage().contains(file.toString()), refused.getMessage());
    }
  }
}
