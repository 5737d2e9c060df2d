package dev.filigree.format.onnx;

import dev.filigree.DType;
import dev.filigree.FormatException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/**
 * Reads one message in the Protocol Buffers wire format straight from memory, so that a weight
 * tensor of any size stays where it is mapped. Every length is checked against the message it lies
 * in; an error names the file and the offset.
 *
 * <pre>
 *   while (reader.next()) {
 *     switch (reader.field()) {
 *       case 1 -&gt; name = reader.text();
 *       default -&gt; reader.skip();
 *     }
 *   }
 * </pre>
 */
final class ProtoReader {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int LENGTH = 2;
  private static final int FIXED32 = 5;

  /**
   * Messages up to this size are read from an array: a cold JVM needs microseconds for one access
   * to a memory segment, and a model has a hundred thousand bytes of nodes.
   */
  private static final int SMALL = 1 << 16;

  private final String source;
  private final MemorySegment data;
  private final byte[] array;
  private final long base;
  private final long end;
  private long position;
  private long fieldStart;
  private int field;
  private int wireType;

  /**
   * @param array the contents, or null to read them where they lie
   * @param base offset in the file, for messages
   */
  private ProtoReader(String source, MemorySegment data, byte[] array, long base) {
    this.source = source;
    this.data = data;
    this.array = array;
    this.base = base;
    this.end = data.byteSize();
  }

  /**
   * A reader of a whole segment.
   *
   * @param source the file named in messages
   */
  static ProtoReader of(String source, MemorySegment data) {
    return new ProtoReader(source, data, null, 0);
  }

  /** Moves to the next field; false at the end of the message. */
  boolean next() {
    if (position == end) {
      return false;
    }
    fieldStart = position;
    long tag = varint();
    field = (int) (tag >>> 3);
    wireType = (int) (tag & 7);
    if (field == 0 || tag >>> 32 != 0) {
      throw damaged("has no valid field");
    }
    return true;
  }

  /** Number of the current field. */
  int field() {
    return field;
  }

  /** The current field as a whole number. */
  long number() {
    expect(VARINT);
    return varint();
  }

  /** The current field as a float. */
  float real() {
    expect(FIXED32);
    return data.get(DType.FLOAT, advance(4));
  }

  /** The current field as text. */
  String text() {
    expect(LENGTH);
    long length = length();
    long at = advance(length);
    return array != null
        ? new String(array, (int) at, (int) length, StandardCharsets.UTF_8)
        : new String(data.asSlice(at, length).toArray(DType.BYTE), StandardCharsets.UTF_8);
  }

  /** The current field as bytes, where they lie. */
  MemorySegment bytes() {
    expect(LENGTH);
    long length = length();
    return data.asSlice(advance(length), length);
  }

  /** The current field as a message of its own. */
  ProtoReader message() {
    expect(LENGTH);
    long length = length();
    long start = advance(length);
    MemorySegment part = data.asSlice(start, length);
    if (length > SMALL) {
      return new ProtoReader(source, part, null, base + start);
    }
    byte[] copy = part.toArray(DType.BYTE);
    return new ProtoReader(source, MemorySegment.ofArray(copy), copy, base + start);
  }

  /** Takes whole numbers. */
  @FunctionalInterface
  interface NumberSink {
    void accept(long number);
  }

  /** The current field as repeated whole numbers, packed or one by one. */
  void numbers(NumberSink sink) {
    if (wireType != LENGTH) {
      sink.accept(number());
      return;
    }
    ProtoReader packed = message();
    while (packed.position < packed.end) {
      sink.accept(packed.varint());
    }
  }

  /** Takes floats. */
  @FunctionalInterface
  interface RealSink {
    void accept(float real);
  }

  /** The current field as repeated floats, packed or one by one. */
  void reals(RealSink sink) {
    if (wireType != LENGTH) {
      sink.accept(real());
      return;
    }
    ProtoReader packed = message();
    while (packed.position < packed.end) {
      sink.accept(packed.data.get(DType.FLOAT, packed.advance(4)));
    }
  }

  /** The current field as the bits of repeated doubles, packed or one by one. */
  void doubles(NumberSink sink) {
    if (wireType != LENGTH) {
      expect(FIXED64);
      sink.accept(data.get(DType.LONG, advance(8)));
      return;
    }
    ProtoReader packed = message();
    while (packed.position < packed.end) {
      sink.accept(packed.data.get(DType.LONG, packed.advance(8)));
    }
  }

  /** The current field as it is encoded, its number included. */
  MemorySegment encoded() {
    skip();
    return data.asSlice(fieldStart, position - fieldStart);
  }

  /** Passes over the current field. */
  void skip() {
    switch (wireType) {
      case VARINT -> varint();
      case FIXED64 -> advance(8);
      case LENGTH -> advance(length());
      case FIXED32 -> advance(4);
      default -> throw damaged("uses wire type " + wireType);
    }
  }

  private long length() {
    long length = varint();
    if (length < 0 || length > end - position) {
      throw damaged("claims a length of " + Long.toUnsignedString(length) + " bytes");
    }
    return length;
  }

  private void expect(int type) {
    if (wireType != type) {
      throw damaged("has field " + field + " in an unexpected form");
    }
  }

  private long varint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      long at = advance(1);
      byte next = array != null ? array[(int) at] : data.get(DType.BYTE, at);
      value |= (long) (next & 0x7f) << shift;
      if (next >= 0) {
        return value;
      }
    }
    throw damaged("has a number of more than 64 bits");
  }

  private long advance(long bytes) {
    if (bytes > end - position) {
      throw damaged("ends in the middle of a field");
    }
    long at = position;
    position += bytes;
    return at;
  }

  /** The file contradicts the format here. */
  FormatException damaged(String problem) {
    return new FormatException(
        source + " is not a complete ONNX model: at offset " + (base + position) + " it " + problem,
        "download or export the file again");
  }
}
