package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.format.safetensors.SafetensorsWriter;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Values;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;

/**
 * Writes the weights of one layer in the form of compressed-tensors that holds them without loss,
 * or dense where there is none.
 *
 * @param module name of the layer
 * @param weights its weights
 * @param file that receives the tensors
 * @param schemes that receive how they are written
 * @param turned whether the family has dense weights as {@code [in, out]}
 */
record WrittenLayer(
    String module,
    Weights weights,
    SafetensorsWriter file,
    WrittenSchemes schemes,
    boolean turned) {
  private static final String INT_QUANTIZED = "int-quantized";

  static void write(
      String module,
      Weights weights,
      SafetensorsWriter file,
      WrittenSchemes schemes,
      boolean turned) {
    new WrittenLayer(module, weights, file, schemes, turned).write();
  }

  private void write() {
    switch (weights) {
      case Dense dense -> dense(dense.tensor());
      case Quantized quantized when quantized.columnStride() == 1 -> quantized(quantized);
      case Packed packed when fits(packed.values()) -> packed(packed.values());
      case Sparse24 sparse
          when sparse.columns() % Sparse24.GROUP == 0 && isPlain(sparse.values()) ->
          sparse24(sparse);
      case SparseCsr sparse when isPlain(sparse.values()) -> unstructured(sparse);
      case Quantized quantized -> dense();
      case Packed packed -> dense();
      case Codebook codebook -> dense();
      case Sparse24 sparse -> dense();
      case SparseCsr sparse -> dense();
    }
  }

  private static boolean isPlain(Values values) {
    return switch (values) {
      case FloatValues floats -> true;
      case IntegerValues integers ->
          integers.dtype() == DType.I8 && integers.zeroPoints().byteSize() == 0;
      case PackedIntegers packed -> false;
      case CodeValues codes -> false;
    };
  }

  /** GPTQ knows zero points one beyond the largest code, which the packed form cannot hold. */
  private static boolean fits(PackedIntegers values) {
    for (long i = 0; i < values.zeroPoints().byteSize(); i++) {
      if ((values.zeroPoints().get(DType.BYTE, i) & 0xff) >>> values.bits() != 0) {
        return false;
      }
    }
    return true;
  }

  private int rows() {
    return weights.rows();
  }

  private int columns() {
    return weights.columns();
  }

  private void dense() {
    dense(Tensor.of(weights.unpack(), rows(), columns()));
  }

  private void dense(Tensor tensor) {
    file.add(module + ".weight", turned ? tensor.permute(1, 0) : tensor);
  }

  private void quantized(Quantized quantized) {
    IntegerValues values = signed(quantized.values());
    add("weight", SafetensorsType.I8, values.codes(), rows(), columns());
    scales(values);
    boolean symmetric = values.zeroPoints().byteSize() == 0;
    if (!symmetric) {
      long count = values.zeroPoints().byteSize();
      add("weight_zero_point", SafetensorsType.I8, values.zeroPoints(), count, 1);
    }
    schemes.quantized(
        module,
        new WrittenSchemes.Quantization(
            INT_QUANTIZED, Byte.SIZE, values.scales().byteSize() == 4 ? -1 : 0, symmetric));
  }

  /** Unsigned codes and zero points moved by 128, which changes no weight. */
  private static IntegerValues signed(IntegerValues values) {
    if (values.dtype() == DType.I8) {
      return values;
    }
    MemorySegment zeroPoints =
        values.zeroPoints().byteSize() > 0
            ? values.zeroPoints()
            : MemorySegment.ofArray(new byte[(int) (values.scales().byteSize() / Float.BYTES)]);
    return new IntegerValues(DType.I8, moved(values.codes()), values.scales(), moved(zeroPoints));
  }

  private static MemorySegment moved(MemorySegment bytes) {
    byte[] moved = bytes.toArray(DType.BYTE);
    for (int i = 0; i < moved.length; i++) {
      moved[i] ^= (byte) 0x80;
    }
    return MemorySegment.ofArray(moved);
  }

  private void scales(IntegerValues values) {
    long count = values.scales().byteSize() / Float.BYTES;
    if (count == 1) {
      add("weight_scale", SafetensorsType.F32, values.scales(), 1);
    } else {
      add("weight_scale", SafetensorsType.F32, values.scales(), count, 1);
    }
  }

  private void packed(PackedIntegers values) {
    add("weight_packed", SafetensorsType.I32, values.words(), rows(), values.wordsPerRow());
    add(
        "weight_shape",
        SafetensorsType.I64,
        MemorySegment.ofArray(new long[] {rows(), columns()}),
        2);
    int groups = values.isOneScale() ? 1 : values.groupsPerRow();
    SafetensorsType type = SafetensorsType.of(values.scaleType());
    if (values.isOneScale()) {
      add("weight_scale", type, values.scales(), 1);
    } else {
      add("weight_scale", type, values.scales(), rows(), groups);
    }
    boolean symmetric = values.zeroPoints().byteSize() == 0;
    if (!symmetric) {
      int scaled = values.isOneScale() ? 1 : rows();
      int words = PackedIntegers.wordsPerRow(scaled, values.bits());
      add(
          "weight_zero_point",
          SafetensorsType.I32,
          zeroPoints(values, scaled, groups),
          words,
          groups);
    }
    if (values.groupOf().byteSize() > 0) {
      add("weight_g_idx", SafetensorsType.I32, values.groupOf(), columns());
    }
    int group = groups == 1 ? 0 : values.group();
    schemes.quantized(
        module,
        new WrittenSchemes.Quantization(
            "pack-quantized", values.bits(), values.isOneScale() ? -1 : group, symmetric));
  }

  /** Zero points as a stream of bits down each column of groups. */
  private static MemorySegment zeroPoints(PackedIntegers values, int rows, int groups) {
    int[] words = new int[PackedIntegers.wordsPerRow(rows, values.bits()) * groups];
    for (int row = 0; row < rows; row++) {
      for (int group = 0; group < groups; group++) {
        int zero = values.zeroPoints().get(DType.BYTE, (long) row * groups + group) & 0xff;
        long bit = (long) row * values.bits();
        int word = (int) (bit / Integer.SIZE) * groups + group;
        int shift = (int) (bit % Integer.SIZE);
        words[word] |= zero << shift;
        if (shift + values.bits() > Integer.SIZE) {
          words[word + groups] |= zero >>> Integer.SIZE - shift;
        }
      }
    }
    return MemorySegment.ofArray(words);
  }

  private void sparse24(Sparse24 sparse) {
    kept(sparse.values(), rows(), columns() / 2L);
    mask(sparse.mask());
    add("shape", SafetensorsType.I64, MemorySegment.ofArray(new long[] {rows(), columns()}), 2, 1);
    schemes.sparse(module, "sparse-24-bitmask");
  }

  private void unstructured(SparseCsr sparse) {
    kept(sparse.values(), sparse.stored());
    mask(sparse.mask());
    add("row_offsets", SafetensorsType.I64, sparse.rowOffsets(), rows());
    add("shape", SafetensorsType.I64, MemorySegment.ofArray(new long[] {rows(), columns()}), 2);
    schemes.sparse(module, "sparse-bitmask");
  }

  private void kept(Values values, long... extents) {
    switch (values) {
      case FloatValues floats ->
          add("compressed", SafetensorsType.of(floats.dtype()), floats.data(), extents);
      case IntegerValues integers -> {
        add("compressed", SafetensorsType.I8, integers.codes(), extents);
        scales(integers);
        schemes.quantized(
            module,
            new WrittenSchemes.Quantization(
                INT_QUANTIZED, Byte.SIZE, integers.scales().byteSize() == 4 ? -1 : 0, true));
      }
      default -> throw new IllegalStateException(values.encoding() + " has no published form");
    }
  }

  private void mask(Mask mask) {
    add("bitmask", SafetensorsType.U8, mask.bits(), mask.rows(), mask.bytesPerRow());
  }

  private void add(String part, SafetensorsType type, MemorySegment data, long... extents) {
    file.add(module + "." + part, type, Shape.of(extents), data);
  }
}
