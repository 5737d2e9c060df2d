package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;

/**
 * Layers of packed integers: {@code pack-quantized} of compressed-tensors, used where it lies when
 * its words are filled without gaps, and GPTQ and AWQ, which pack {@code [in, out]} and are turned
 * into {@code [out, in]}. Every form keeps its codes, scales, zero points and groups exactly.
 *
 * <pre>
 *   pack-quantized  weight_packed I32 [out, words]        word: v7 v6 v5 v4 v3 v2 v1 v0    code + 8
 *   GPTQ            qweight       I32 [in / 8, out]       word: the same, along the inputs
 *   AWQ             qweight       I32 [in, out / 8]       word: o7 o5 o3 o1 o6 o4 o2 o0
 * </pre>
 */
final class PackedLayers {
  /** The output of a word of AWQ that each of its eight codes belongs to, the lowest code first. */
  private static final int[] AWQ_ORDER = {0, 2, 4, 6, 1, 3, 5, 7};

  private static final int WORD = Integer.SIZE;

  private PackedLayers() {}

  /** Whether {@code qweight} packs along the inputs, as GPTQ does. */
  static boolean isPackedAlongInputs(LayerParts parts) {
    SafetensorsFile.Entry words = parts.require("qweight");
    SafetensorsFile.Entry scales = parts.require("scales");
    if (words.shape().rank() != 2 || scales.shape().rank() != 2) {
      throw parts.wrong("'qweight' or 'scales' is no matrix");
    }
    return words.shape().extent(1) == scales.shape().extent(1);
  }

  /** Reads {@code pack-quantized}. */
  static Weights packQuantized(LayerParts parts, Scheme scheme, boolean denseStream) {
    int[] extents = parts.extents("weight_shape");
    int rows = extents[0];
    int columns = extents[1];
    int bits = bits(parts, scheme);
    SafetensorsFile.Entry packed = parts.require("weight_packed");
    parts.requireType(packed, SafetensorsType.I32);
    int stream = PackedIntegers.wordsPerRow(columns, bits);
    int padded = Math.ceilDiv(columns, WORD / bits);
    long words = packed.shape().rank() == 2 ? packed.shape().extent(1) : -1;
    boolean isStream = words == stream && (words != padded || denseStream || WORD % bits == 0);
    parts.requireShape(packed, rows, isStream ? stream : padded);
    MemorySegment codes =
        isStream ? packed.data() : withoutGaps(parts, packed.data(), rows, columns, bits, padded);
    Scales scales = Scales.of(parts, rows, columns);
    MemorySegment groupOf = groupOf(parts, "weight_g_idx", columns, scales.groups());
    return packed(
        parts,
        new Codes(rows, columns, bits, codes),
        groupSize(parts, scheme, columns, scales.groups()),
        scales,
        zeroPoints(parts, rows, scales, bits, denseStream),
        groupOf);
  }

  /** Reads GPTQ. */
  static Weights gptq(LayerParts parts, Scheme scheme, int zeroOffset) {
    int bits = bits(parts, scheme);
    SafetensorsFile.Entry packed = parts.require("qweight");
    parts.requireType(packed, SafetensorsType.I32);
    int words = extent(parts, packed.shape().extent(0));
    int rows = extent(parts, packed.shape().extent(1));
    int columns = extent(parts, (long) words * WORD / bits);
    if ((long) columns * bits != (long) words * WORD) {
      throw parts.wrong(words + " words do not hold whole weights of " + bits + " bits");
    }
    // a word holds consecutive inputs of one output in both layouts, so words move as they are
    MemorySegment codes = parts.arena().allocate((long) rows * words * Integer.BYTES, 64);
    for (int row = 0; row < rows; row++) {
      for (int word = 0; word < words; word++) {
        int value = packed.data().get(DType.INT, ((long) word * rows + row) * Integer.BYTES);
        codes.set(DType.INT, ((long) row * words + word) * Integer.BYTES, value);
      }
    }
    Scales scales = transposed(parts, rows);
    SafetensorsFile.Entry zeros = parts.require("qzeros");
    parts.requireType(zeros, SafetensorsType.I32);
    parts.requireShape(zeros, scales.groups(), Math.ceilDiv(rows * bits, WORD));
    MemorySegment zeroPoints = parts.arena().allocate((long) rows * scales.groups());
    int zeroWords = Math.ceilDiv(rows * bits, WORD);
    for (int group = 0; group < scales.groups(); group++) {
      for (int row = 0; row < rows; row++) {
        int zero = code(zeros.data(), (long) group * zeroWords, row, bits) + zeroOffset;
        zeroPoints.set(DType.BYTE, (long) row * scales.groups() + group, (byte) zero);
      }
    }
    return packed(
        parts,
        new Codes(rows, columns, bits, codes),
        groupSize(parts, scheme, columns, scales.groups()),
        scales,
        zeroPoints,
        groupOf(parts, "g_idx", columns, scales.groups()));
  }

  /** Reads AWQ. */
  static Weights awq(LayerParts parts, Scheme scheme) {
    int bits = bits(parts, scheme);
    int perWord = AWQ_ORDER.length;
    SafetensorsFile.Entry packed = parts.require("qweight");
    parts.requireType(packed, SafetensorsType.I32);
    int columns = extent(parts, packed.shape().extent(0));
    int wordsOfOutputs = extent(parts, packed.shape().extent(1));
    int rows = extent(parts, (long) wordsOfOutputs * perWord);
    int words = PackedIntegers.wordsPerRow(columns, bits);
    MemorySegment codes = parts.arena().allocate((long) rows * words * Integer.BYTES, 64);
    for (int column = 0; column < columns; column++) {
      for (int word = 0; word < wordsOfOutputs; word++) {
        int value =
            packed.data().get(DType.INT, ((long) column * wordsOfOutputs + word) * Integer.BYTES);
        for (int i = 0; i < perWord; i++) {
          int row = word * perWord + AWQ_ORDER[i];
          long at = ((long) row * words + column / perWord) * Integer.BYTES;
          int code = value >>> i * bits & 0xf;
          codes.set(DType.INT, at, codes.get(DType.INT, at) | code << column % perWord * bits);
        }
      }
    }
    Scales scales = transposed(parts, rows);
    SafetensorsFile.Entry zeros = parts.require("qzeros");
    parts.requireType(zeros, SafetensorsType.I32);
    parts.requireShape(zeros, scales.groups(), wordsOfOutputs);
    MemorySegment zeroPoints = parts.arena().allocate((long) rows * scales.groups());
    for (int group = 0; group < scales.groups(); group++) {
      for (int word = 0; word < wordsOfOutputs; word++) {
        int value =
            zeros.data().get(DType.INT, ((long) group * wordsOfOutputs + word) * Integer.BYTES);
        for (int i = 0; i < perWord; i++) {
          int row = word * perWord + AWQ_ORDER[i];
          zeroPoints.set(
              DType.BYTE, (long) row * scales.groups() + group, (byte) (value >>> i * bits & 0xf));
        }
      }
    }
    return packed(
        parts,
        new Codes(rows, columns, bits, codes),
        groupSize(parts, scheme, columns, scales.groups()),
        scales,
        zeroPoints,
        PackedIntegers.NONE);
  }

  /** Signed bytes scaled by groups, as packed integers of eight bits. */
  static Weights grouped(
      LayerParts parts, MemorySegment bytes, int rows, int columns, Scales scales) {
    int words = PackedIntegers.wordsPerRow(columns, Byte.SIZE);
    MemorySegment codes = parts.arena().allocate((long) rows * words * Integer.BYTES, 64);
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < columns; column++) {
        byte code = bytes.get(DType.BYTE, (long) row * columns + column);
        codes.set(DType.BYTE, (long) row * words * Integer.BYTES + column, (byte) (code ^ 0x80));
      }
    }
    return packed(
        parts,
        new Codes(rows, columns, Byte.SIZE, codes),
        groupSize(parts, null, columns, scales.groups()),
        scales,
        zeroPoints(parts, rows, scales, Byte.SIZE, false),
        PackedIntegers.NONE);
  }

  private record Codes(int rows, int columns, int bits, MemorySegment words) {}

  private static Weights packed(
      LayerParts parts,
      Codes codes,
      int group,
      Scales scales,
      MemorySegment zeroPoints,
      MemorySegment groupOf) {
    if (!scales.isOne() && scales.rows() != codes.rows()) {
      throw parts.wrong("it has " + scales.rows() + " rows of scales for " + codes.rows());
    }
    return new Packed(
        codes.rows(),
        codes.columns(),
        new PackedIntegers(
            codes.bits(),
            codes.columns(),
            group,
            codes.words(),
            scales.type(),
            scales.data(),
            isSymmetric(zeroPoints, codes.bits()) ? PackedIntegers.NONE : zeroPoints,
            groupOf));
  }

  private static boolean isSymmetric(MemorySegment zeroPoints, int bits) {
    for (long i = 0; i < zeroPoints.byteSize(); i++) {
      if ((zeroPoints.get(DType.BYTE, i) & 0xff) != 1 << bits - 1) {
        return false;
      }
    }
    return true;
  }

  private static int bits(LayerParts parts, Scheme scheme) {
    boolean supported =
        scheme.type() == Scheme.Type.INT
            && scheme.bits() >= PackedIntegers.LEAST_BITS
            && scheme.bits() <= PackedIntegers.MOST_BITS;
    if (!supported) {
      throw parts.unsupported(
          "its weights are packed " + scheme,
          "the nearest supported are integers of "
              + PackedIntegers.LEAST_BITS
              + " to "
              + PackedIntegers.MOST_BITS
              + " bits");
    }
    return scheme.bits();
  }

  /** Weights of a group, from the scheme or, where it says none, from how many there are. */
  private static int groupSize(LayerParts parts, Scheme scheme, int columns, int groups) {
    int size =
        scheme != null && scheme.groupSize() > 0 && groups > 1
            ? scheme.groupSize()
            : Math.ceilDiv(columns, groups);
    if (Math.ceilDiv(columns, size) != groups) {
      throw parts.wrong(
          "it has " + groups + " scales a row for " + columns + " inputs in groups of " + size);
    }
    return size;
  }

  /** {@code scales [groups, out]} of GPTQ and AWQ as {@code [out, groups]}. */
  private static Scales transposed(LayerParts parts, int rows) {
    SafetensorsFile.Entry entry = parts.require("scales");
    int groups = extent(parts, entry.shape().extent(0));
    parts.requireShape(entry, groups, rows);
    parts.requireType(entry, SafetensorsType.F32, SafetensorsType.F16, SafetensorsType.BF16);
    DType type = entry.type().dtype().orElseThrow();
    int bytes = type.bytes();
    MemorySegment turned = parts.arena().allocate((long) rows * groups * bytes, 64);
    for (int group = 0; group < groups; group++) {
      for (int row = 0; row < rows; row++) {
        MemorySegment.copy(
            entry.data(),
            ((long) group * rows + row) * bytes,
            turned,
            ((long) row * groups + group) * bytes,
            bytes);
      }
    }
    return new Scales(type, turned, rows, groups);
  }

  /** The group of each input, where it is not that of its place. */
  private static MemorySegment groupOf(LayerParts parts, String part, int columns, int groups) {
    if (!parts.has(part)) {
      return PackedIntegers.NONE;
    }
    MemorySegment index = parts.data(part, SafetensorsType.I32, columns);
    int size = Math.ceilDiv(columns, groups);
    boolean unset = true;
    boolean ordered = true;
    for (int column = 0; column < columns; column++) {
      int group = index.get(DType.INT, (long) column * Integer.BYTES);
      unset &= group == -1;
      ordered &= group == column / size;
      if (group < -1 || group >= groups) {
        throw parts.wrong("input " + column + " is said to be in group " + group + " of " + groups);
      }
    }
    return unset || ordered ? PackedIntegers.NONE : index;
  }

  /** Unsigned zero points, one a byte {@code [rows, groups]}; none for symmetric weights. */
  private static MemorySegment zeroPoints(
      LayerParts parts, int rows, Scales scales, int bits, boolean denseStream) {
    if (!parts.has("weight_zero_point")) {
      return PackedIntegers.NONE;
    }
    SafetensorsFile.Entry entry = parts.require("weight_zero_point");
    parts.requireType(entry, SafetensorsType.I32, SafetensorsType.I8);
    int scaled = scales.rows();
    int groups = scales.groups();
    int half = 1 << bits - 1;
    MemorySegment zeros = parts.arena().allocate((long) scaled * groups);
    if (entry.type() == SafetensorsType.I8) {
      if (entry.shape().elements() != zeros.byteSize()) {
        throw parts.wrong("it has other numbers of zero points and scales");
      }
      for (long i = 0; i < zeros.byteSize(); i++) {
        zeros.set(DType.BYTE, i, (byte) (entry.data().get(DType.BYTE, i) + half));
      }
      return zeros;
    }
    boolean stream = denseStream && WORD % bits != 0;
    int perWord = WORD / bits;
    int words = stream ? Math.ceilDiv(scaled * bits, WORD) : Math.ceilDiv(scaled, perWord);
    parts.requireShape(entry, words, groups);
    for (int group = 0; group < groups; group++) {
      for (int row = 0; row < scaled; row++) {
        long bit =
            stream ? (long) row * bits : (long) (row / perWord) * WORD + row % perWord * bits;
        long at = (bit / WORD * groups + group) * Integer.BYTES;
        int shift = (int) (bit % WORD);
        long pair = entry.data().get(DType.INT, at) & 0xffff_ffffL;
        if (shift + bits > WORD) {
          pair |= (long) entry.data().get(DType.INT, at + (long) groups * Integer.BYTES) << WORD;
        }
        int zero = (int) (pair >>> shift) & (1 << bits) - 1;
        zeros.set(DType.BYTE, (long) row * groups + group, (byte) zero);
      }
    }
    return zeros;
  }

  /** Rows whose words hold whole values only, with the spare bits between them taken out. */
  private static MemorySegment withoutGaps(
      LayerParts parts, MemorySegment padded, int rows, int columns, int bits, int wordsPerRow) {
    int words = PackedIntegers.wordsPerRow(columns, bits);
    int perWord = WORD / bits;
    MemorySegment stream = parts.arena().allocate((long) rows * words * Integer.BYTES, 64);
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < columns; column++) {
        long from = ((long) row * wordsPerRow + column / perWord) * Integer.BYTES;
        int code = padded.get(DType.INT, from) >>> column % perWord * bits & (1 << bits) - 1;
        long bit = (long) column * bits;
        long at = ((long) row * words + bit / WORD) * Integer.BYTES;
        int shift = (int) (bit % WORD);
        stream.set(DType.INT, at, stream.get(DType.INT, at) | code << shift);
        if (shift + bits > WORD) {
          stream.set(DType.INT, at + Integer.BYTES, code >>> WORD - shift);
        }
      }
    }
    return stream;
  }

  /** A code of a stream of words. */
  private static int code(MemorySegment words, long firstWord, int index, int bits) {
    long bit = (long) index * bits;
    long at = (firstWord + bit / WORD) * Integer.BYTES;
    int shift = (int) (bit % WORD);
    long pair = words.get(DType.INT, at) & 0xffff_ffffL;
    if (shift + bits > WORD) {
      pair |= (long) words.get(DType.INT, at + Integer.BYTES) << WORD;
    }
    return (int) (pair >>> shift) & (1 << bits) - 1;
  }

  private static int extent(LayerParts parts, long extent) {
    if (extent < 1 || extent > Integer.MAX_VALUE) {
      throw parts.wrong("it has an extent of " + extent);
    }
    return (int) extent;
  }
}
