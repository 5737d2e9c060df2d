package dev.filigree.cli;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.format.AtomicFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Tensors in NumPy's .npy format, versions 1 to 3: magic, length of the header, a Python
 * dictionary, the data.
 */
final class Npy {
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};

  /** The header and the data behind it start at multiples of this. */
  private static final int ALIGNMENT = 64;

  private static final Pattern DESCRIPTOR = Pattern.compile("'descr'\\s*:\\s*'([^']*)'");
  private static final Pattern FORTRAN = Pattern.compile("'fortran_order'\\s*:\\s*(True|False)");
  private static final Pattern SHAPE = Pattern.compile("'shape'\\s*:\\s*\\(([\\d\\s,]*)\\)");

  private static final Map<String, DType> TYPES =
      Map.of(
          "<f4", DType.F32,
          "<f2", DType.F16,
          "<i8", DType.I64,
          "<i4", DType.I32,
          "|i1", DType.I8,
          "|u1", DType.U8,
          "|b1", DType.BOOL);

  private Npy() {}

  /**
   * Reads a file.
   *
   * @throws FormatException if it is missing or damaged
   * @throws UnsupportedException if its type or order is not supported
   */
  static Tensor read(Path file) {
    byte[] bytes;
    try {
      bytes = Files.readAllBytes(file);
    } catch (IOException unreadable) {
      throw new FormatException(
          file + " cannot be read (" + unreadable.getMessage() + ")",
          "pass the path of a .npy file",
          unreadable);
    }
    if (bytes.length < 12 || !Arrays.equals(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
      throw new FormatException(file + " is no .npy file", "write it with numpy.save");
    }
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    boolean longHeader = bytes[6] >= 2;
    long length = longHeader ? buffer.getInt(8) & 0xffffffffL : buffer.getShort(8) & 0xffff;
    int start = longHeader ? 12 : 10;
    if (length > bytes.length - start) {
      throw new FormatException(
          file + " claims a header of " + length + " bytes", "write it with numpy.save");
    }
    String header = new String(bytes, start, (int) length, StandardCharsets.ISO_8859_1);
    DType dtype = type(file, field(file, DESCRIPTOR, header));
    if (field(file, FORTRAN, header).equals("True")) {
      throw new UnsupportedException(
          file + " is stored column by column", "save numpy.ascontiguousarray(array)");
    }
    Shape shape = shape(file, field(file, SHAPE, header));
    MemorySegment data = MemorySegment.ofArray(bytes).asSlice(start + length);
    if (data.byteSize() != Tensor.byteSize(dtype, shape)) {
      throw new FormatException(
          file + " holds " + data.byteSize() + " bytes for " + dtype + shape,
          "write it again with numpy.save");
    }
    // a heap copy of its own type: kernels read arrays of one kind faster
    Tensor tensor = Tensor.zeros(dtype, shape);
    tensor.data().copyFrom(data);
    return tensor;
  }

  private static String field(Path file, Pattern pattern, String header) {
    Matcher matcher = pattern.matcher(header);
    if (!matcher.find()) {
      throw new FormatException(
          file + " has the header " + Output.cut(header, 80), "write it with numpy.save");
    }
    return matcher.group(1);
  }

  private static DType type(Path file, String descriptor) {
    DType dtype = TYPES.get(descriptor);
    if (dtype == null) {
      throw new UnsupportedException(
          file + " has elements of type '" + descriptor + "'",
          "convert it to one of "
              + TYPES.keySet().stream().sorted().collect(Collectors.joining(", ")));
    }
    return dtype;
  }

  private static Shape shape(Path file, String extents) {
    try {
      return Shape.of(
          Arrays.stream(extents.split(","))
              .map(String::strip)
              .filter(extent -> !extent.isEmpty())
              .mapToLong(Long::parseLong)
              .toArray());
    } catch (NumberFormatException tooLarge) {
      throw new FormatException(
          file + " has the shape (" + extents + ")", "write it with numpy.save", tooLarge);
    }
  }

  /** Writes a file, whole or not at all. */
  static void write(Path file, Tensor tensor) {
    Optional<String> descriptor =
        TYPES.entrySet().stream()
            .filter(entry -> entry.getValue() == tensor.dtype())
            .map(Map.Entry::getKey)
            .findFirst();
    if (descriptor.isEmpty()) {
      throw new UnsupportedException(
          "NumPy has no type " + tensor.dtype() + " for " + file, "convert the output first");
    }
    String shape =
        Arrays.stream(tensor.shape().extents())
            .mapToObj(extent -> extent + ",")
            .collect(Collectors.joining(" "));
    String header =
        "{'descr': '" + descriptor.get() + "', 'fortran_order': False, 'shape': (" + shape + "), }";
    int length = header.length() + 1;
    int padding = (ALIGNMENT - (10 + length) % ALIGNMENT) % ALIGNMENT;
    ByteBuffer head = ByteBuffer.allocate(10 + length + padding).order(ByteOrder.LITTLE_ENDIAN);
    head.put(MAGIC).put((byte) 1).put((byte) 0).putShort((short) (length + padding));
    head.put((header + " ".repeat(padding) + "\n").getBytes(StandardCharsets.ISO_8859_1)).flip();
    byte[] data = tensor.contiguous().data().toArray(DType.BYTE);
    AtomicFile.write(
        file,
        channel -> {
          for (ByteBuffer part : new ByteBuffer[] {head, ByteBuffer.wrap(data)}) {
            while (part.hasRemaining()) {
              channel.write(part);
            }
          }
        });
  }
}
