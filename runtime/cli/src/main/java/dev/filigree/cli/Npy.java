package dev.filigree.cli;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.format.AtomicFile;
import dev.filigree.format.MappedFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Tensors in NumPy's .npy format, versions 1 to 3: magic, length of the header, a Python
 * dictionary, the data.
 */
final class Npy {
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};

  /** The header and the data behind it start at multiples of this. */
  private static final int ALIGNMENT = 64;

  /** Bytes before the header in version 1, and in later ones. */
  private static final int SHORT_START = 10;

  private static final int LONG_START = 12;

  /** NumPy itself refuses to parse longer ones. */
  private static final int MAX_HEADER = 10_000;

  private static final String REMEDY = "write it again with numpy.save";

  private static final Pattern DESCRIPTOR = Pattern.compile("'descr'\\s*:\\s*'([^']*)'");
  private static final Pattern FORTRAN = Pattern.compile("'fortran_order'\\s*:\\s*(True|False)");
  private static final Pattern SHAPE = Pattern.compile("'shape'\\s*:\\s*\\(([\\d\\s,]*)\\)");

  private static final Map<String, DType> TYPES =
      Map.ofEntries(
          Map.entry("<f8", DType.F64),
          Map.entry("<f4", DType.F32),
          Map.entry("<f2", DType.F16),
          Map.entry("<i8", DType.I64),
          Map.entry("<i4", DType.I32),
          Map.entry("<i2", DType.I16),
          Map.entry("|i1", DType.I8),
          Map.entry("<u8", DType.U64),
          Map.entry("<u4", DType.U32),
          Map.entry("<u2", DType.U16),
          Map.entry("|u1", DType.U8),
          Map.entry("|b1", DType.BOOL));

  private Npy() {}

  /**
   * Reads a file.
   *
   * @return a row-major tensor on the heap
   * @throws FormatException if it is missing or damaged
   * @throws UnsupportedException if its version or type is not supported
   */
  static Tensor read(Path file) {
    try (Arena arena = Arena.ofConfined()) {
      return parse(file, MappedFile.map(file, arena));
    }
  }

  private static Tensor parse(Path file, MemorySegment bytes) {
    byte[] start = bytes.asSlice(0, Math.min(bytes.byteSize(), LONG_START)).toArray(DType.BYTE);
    if (start.length < LONG_START
        || !Arrays.equals(start, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
      throw new FormatException(file + " is no .npy file", REMEDY);
    }
    int version = start[MAGIC.length];
    if (version < 1 || version > 3) {
      throw new UnsupportedException(
          file + " is of version " + version + " of the .npy format", REMEDY);
    }
    ByteBuffer buffer = ByteBuffer.wrap(start).order(ByteOrder.LITTLE_ENDIAN);
    long length = version > 1 ? buffer.getInt(8) & 0xffffffffL : buffer.getShort(8) & 0xffff;
    int from = version > 1 ? LONG_START : SHORT_START;
    if (length > Math.min(MAX_HEADER, bytes.byteSize() - from)) {
      throw new FormatException(file + " claims a header of " + length + " bytes", REMEDY);
    }
    String header =
        new String(bytes.asSlice(from, length).toArray(DType.BYTE), StandardCharsets.ISO_8859_1);
    DType dtype = type(file, field(file, DESCRIPTOR, header));
    boolean byColumns = field(file, FORTRAN, header).equals("True");
    Shape shape = shape(file, dtype, field(file, SHAPE, header));
    MemorySegment data = bytes.asSlice(from + length);
    if (data.byteSize() != Tensor.byteSize(dtype, shape)) {
      throw new FormatException(
          file + " holds " + data.byteSize() + " bytes for " + dtype + shape, REMEDY);
    }
    // a heap copy of its own type: kernels read arrays of one kind faster
    Tensor tensor = Tensor.zeros(dtype, byColumns ? reversed(shape) : shape);
    tensor.data().copyFrom(data);
    return byColumns ? tensor.permute(backwards(shape.rank())).contiguous() : tensor;
  }

  /** An array stored column by column is its transpose stored row by row. */
  private static Shape reversed(Shape shape) {
    return Shape.of(Arrays.stream(backwards(shape.rank())).mapToLong(shape::extent).toArray());
  }

  private static int[] backwards(int rank) {
    return IntStream.range(0, rank).map(axis -> rank - 1 - axis).toArray();
  }

  private static String field(Path file, Pattern pattern, String header) {
    Matcher matcher = pattern.matcher(header);
    if (!matcher.find()) {
      throw new FormatException(
          file + " has the header " + Output.cut(printable(header), 80), REMEDY);
    }
    return matcher.group(1);
  }

  /** What can be shown on a terminal. */
  private static String printable(String header) {
    return header.replaceAll("[^ -~]", "?");
  }

  private static DType type(Path file, String descriptor) {
    DType dtype = TYPES.get(descriptor);
    if (dtype == null) {
      throw new UnsupportedException(
          file + " has elements of type '" + printable(descriptor) + "'",
          "convert it to one of "
              + TYPES.keySet().stream().sorted().collect(Collectors.joining(", ")));
    }
    return dtype;
  }

  private static Shape shape(Path file, DType dtype, String extents) {
    try {
      Shape shape =
          Shape.of(
              Arrays.stream(extents.split(","))
                  .map(String::strip)
                  .filter(extent -> !extent.isEmpty())
                  .mapToLong(Long::parseLong)
                  .toArray());
      Tensor.byteSize(dtype, shape);
      return shape;
    } catch (NumberFormatException | InputException impossible) {
      throw new FormatException(
          file + " has the shape (" + Output.cut(extents, 80) + ")", REMEDY, impossible);
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
    int padding = (ALIGNMENT - (SHORT_START + length) % ALIGNMENT) % ALIGNMENT;
    ByteBuffer head =
        ByteBuffer.allocate(SHORT_START + length + padding).order(ByteOrder.LITTLE_ENDIAN);
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
