package dev.filigree.format.container;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.WeightsException;
import dev.filigree.format.safetensors.SafetensorsFile;
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
 * Weights as named tensors of a safetensors file, under the names of compressed-tensors 0.9 where
 * it has one. M is the layer:
 *
 * <pre>
 *   dense         M.weight        F32/F16/BF16 [out, in]
 *   quantised     M.weight        I8/U8 [out, in]         M.weight_scale F32 [1|out]  M.weight_zero_point
 *   packed        M.weight_packed I32 [out, words]        M.weight_scale BF16 [1|out, groups]  M.weight_shape I64 [2]
 *                 M.weight_packing I64 [2]: bits, group
 *                 M.weight_zero_point U8, as many as scales        M.weight_g_idx I32 [in], both optional
 *   codebook      M.codes         U8 [bytes]              M.codebook F32 [1|out, k]   M.weight_shape I64 [2]
 *                 M.codebook_rows I64 [1]: outputs that share one, where M.codebook is F32 [ceil(out / rows), k]
 *   2:4           M.compressed    [out, in / 2]           M.bitmask U8 [out, in / 8]  M.shape I64 [2, 1]
 *   unstructured  M.compressed    [stored]                M.bitmask U8 [out, in / 8]  M.shape I64 [2]  M.row_offsets I64 [out]
 * </pre>
 *
 * The values of a sparse layer may be floats, integers with M.weight_scale, packed integers
 * (M.weight_packed, M.weight_scale and M.weight_packing in the place of M.compressed), or codes
 * (M.codes and M.codebook).
 */
enum WeightsFormat {
  DENSE,
  QUANTIZED,
  PACKED,
  CODEBOOK,
  SPARSE24,
  UNSTRUCTURED;

  /** The format of weights. */
  static WeightsFormat of(Weights weights) {
    return switch (weights) {
      case Dense dense -> DENSE;
      case Quantized quantized -> QUANTIZED;
      case Packed packed -> PACKED;
      case Codebook codebook -> CODEBOOK;
      case Sparse24 sparse -> SPARSE24;
      case SparseCsr sparse -> UNSTRUCTURED;
    };
  }

  /** Adds the tensors of a layer. */
  static void write(SafetensorsWriter file, String module, Weights weights) {
    int rows = weights.rows();
    switch (weights) {
      case Dense dense -> file.add(module + ".weight", dense.tensor());
      case Quantized quantized -> {
        IntegerValues values = rowMajor(quantized);
        file.add(
            module + ".weight",
            SafetensorsType.of(values.dtype()),
            Shape.of(rows, weights.columns()),
            values.codes());
        scales(file, module, values);
      }
      case Packed packed -> {
        packed(file, module, packed.values());
        shape(file, module + ".weight_shape", Shape.of(2), weights);
      }
      case Codebook codebook -> {
        codes(file, module, codebook.values());
        shape(file, module + ".weight_shape", Shape.of(2), weights);
      }
      case Sparse24 sparse -> {
        mask(file, module, sparse.mask());
        shape(file, module + ".shape", Shape.of(2, 1), weights);
        values(
            file, module, sparse.values(), Shape.of(rows, (long) sparse.groups() * Sparse24.KEPT));
      }
      case SparseCsr sparse -> {
        mask(file, module, sparse.mask());
        shape(file, module + ".shape", Shape.of(2), weights);
        file.add(module + ".row_offsets", SafetensorsType.I64, Shape.of(rows), sparse.rowOffsets());
        values(file, module, sparse.values(), Shape.of(sparse.stored()));
      }
    }
  }

  /** The codes of a matrix in logical order, copied if the weights came from a transposed file. */
  private static IntegerValues rowMajor(Quantized quantized) {
    IntegerValues values = quantized.values();
    if (quantized.columnStride() == 1) {
      return values;
    }
    MemorySegment codes = MemorySegment.ofArray(new byte[Math.toIntExact(values.count())]);
    for (int row = 0; row < quantized.rows(); row++) {
      for (int column = 0; column < quantized.columns(); column++) {
        long from = row * quantized.rowStride() + column * quantized.columnStride();
        codes.set(
            DType.BYTE,
            (long) row * quantized.columns() + column,
            values.codes().get(DType.BYTE, from));
      }
    }
    return new IntegerValues(values.dtype(), codes, values.scales(), values.zeroPoints());
  }

  private static void values(SafetensorsWriter file, String module, Values values, Shape shape) {
    switch (values) {
      case FloatValues floats ->
          file.add(
              module + ".compressed", SafetensorsType.of(floats.dtype()), shape, floats.data());
      case IntegerValues integers -> {
        file.add(
            module + ".compressed", SafetensorsType.of(integers.dtype()), shape, integers.codes());
        scales(file, module, integers);
      }
      case PackedIntegers packed -> packed(file, module, packed);
      case CodeValues codes -> codes(file, module, codes);
    }
  }

  private static void packed(SafetensorsWriter file, String module, PackedIntegers values) {
    long rows = values.count() / values.perRow();
    file.add(
        module + ".weight_packed",
        SafetensorsType.I32,
        Shape.of(rows, values.wordsPerRow()),
        values.words());
    file.add(
        module + ".weight_scale",
        SafetensorsType.of(values.scaleType()),
        values.isOneScale() ? Shape.of(1) : Shape.of(rows, values.groupsPerRow()),
        values.scales());
    file.add(
        module + ".weight_packing",
        SafetensorsType.I64,
        Shape.of(2),
        MemorySegment.ofArray(new long[] {values.bits(), values.group()}));
    if (values.zeroPoints().byteSize() > 0) {
      file.add(
          module + ".weight_zero_point",
          SafetensorsType.U8,
          Shape.of(values.zeroPoints().byteSize()),
          values.zeroPoints());
    }
    if (values.groupOf().byteSize() > 0) {
      file.add(
          module + ".weight_g_idx",
          SafetensorsType.I32,
          Shape.of(values.perRow()),
          values.groupOf());
    }
  }

  private static void scales(SafetensorsWriter file, String module, IntegerValues values) {
    long count = values.scales().byteSize() / Float.BYTES;
    file.add(module + ".weight_scale", SafetensorsType.F32, Shape.of(count), values.scales());
    if (values.zeroPoints().byteSize() > 0) {
      file.add(
          module + ".weight_zero_point",
          SafetensorsType.of(values.dtype()),
          Shape.of(count),
          values.zeroPoints());
    }
  }

  private static void codes(SafetensorsWriter file, String module, CodeValues values) {
    long books = values.centroids().byteSize() / Float.BYTES / values.size();
    file.add(
        module + ".codes", SafetensorsType.U8, Shape.of(values.codes().byteSize()), values.codes());
    file.add(
        module + ".codebook",
        SafetensorsType.F32,
        Shape.of(books, values.size()),
        values.centroids());
    if (values.rowsPerBook() > 1) {
      file.add(
          module + ".codebook_rows",
          SafetensorsType.I64,
          Shape.of(1),
          MemorySegment.ofArray(new long[] {values.rowsPerBook()}));
    }
  }

  private static void mask(SafetensorsWriter file, String module, Mask mask) {
    file.add(
        module + ".bitmask",
        SafetensorsType.U8,
        Shape.of(mask.rows(), mask.bytesPerRow()),
        mask.bits());
  }

  private static void shape(SafetensorsWriter file, String name, Shape extents, Weights weights) {
    file.add(
        name,
        SafetensorsType.I64,
        extents,
        MemorySegment.ofArray(new long[] {weights.rows(), weights.columns()}));
  }

  /**
   * Reads a layer where it is mapped and checks it.
   *
   * @param rows outputs the graph expects
   * @param columns inputs the graph expects
   * @throws FormatException if tensors are missing, of another size or type, or contradict each
   *     other
   */
  Weights read(SafetensorsFile file, String module, int rows, int columns) {
    Weights weights;
    try {
      weights = weights(new LayerTensors(file, module), rows, columns);
    } catch (WeightsException contradiction) {
      throw damaged(file, "layer " + module + ": " + contradiction.problem(), contradiction);
    }
    try {
      weights.validate(module);
    } catch (WeightsException contradiction) {
      throw damaged(file, contradiction.problem(), contradiction);
    }
    return weights;
  }

  private static FormatException damaged(
      SafetensorsFile file, String problem, WeightsException cause) {
    return new FormatException(file.source() + ": " + problem, "write the file again", cause);
  }

  private Weights weights(LayerTensors tensors, int rows, int columns) {
    return switch (this) {
      case DENSE -> {
        Shape shape = Shape.of(rows, columns);
        FloatValues floats = tensors.floats("weight", shape);
        yield new Dense(Tensor.of(floats.dtype(), shape, floats.data()));
      }
      case QUANTIZED ->
          new Quantized(rows, columns, tensors.integers("weight", Shape.of(rows, columns)));
      case PACKED -> {
        tensors.requireShape("weight_shape", rows, columns);
        yield new Packed(rows, columns, tensors.packed(rows, columns));
      }
      case CODEBOOK -> {
        tensors.requireShape("weight_shape", rows, columns);
        yield new Codebook(rows, columns, tensors.codes((long) rows * columns));
      }
      case SPARSE24 -> {
        tensors.requireShape("shape", rows, columns);
        int groups = Sparse24.groups(columns);
        Mask mask = tensors.mask(rows, groups * Sparse24.GROUP);
        Shape kept = Shape.of(rows, (long) groups * Sparse24.KEPT);
        yield new Sparse24(rows, columns, mask, tensors.sparseValues(kept));
      }
      case UNSTRUCTURED -> {
        tensors.requireShape("shape", rows, columns);
        Mask mask = tensors.mask(rows, columns);
        yield new SparseCsr(
            rows,
            columns,
            mask,
            tensors.data("row_offsets", SafetensorsType.I64, Shape.of(rows)),
            tensors.sparseValues(Shape.of(mask.kept())));
      }
    };
  }
}
