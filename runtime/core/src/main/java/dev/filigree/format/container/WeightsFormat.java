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
 *   codebook      M.codes         U8 [bytes]              M.codebook F32 [1|out, k]   M.weight_shape I64 [2]
 *   2:4           M.compressed    [out, in / 2]           M.bitmask U8 [out, in / 8]  M.shape I64 [2, 1]
 *   unstructured  M.compressed    [stored]                M.bitmask U8 [out, in / 8]  M.shape I64 [2]  M.row_offsets I64 [out]
 * </pre>
 *
 * The values of a sparse layer may be floats, integers with M.weight_scale, or codes: then M.codes
 * and M.codebook stand in the place of M.compressed.
 */
enum WeightsFormat {
  DENSE,
  QUANTIZED,
  CODEBOOK,
  SPARSE24,
  UNSTRUCTURED;

  /** The format of weights. */
  static WeightsFormat of(Weights weights) {
    return switch (weights) {
      case Dense dense -> DENSE;
      case Quantized quantized -> QUANTIZED;
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
      case CodeValues codes -> codes(file, module, codes);
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
    try {
      Weights weights = weights(new Tensors(file, module), rows, columns);
      if (weights.rows() != rows || weights.columns() != columns) {
        throw new WeightsException(
            "layer "
                + module
                + " has weights "
                + weights.rows()
                + " x "
                + weights.columns()
                + " where the graph expects "
                + rows
                + " x "
                + columns,
            "write graph and weights from the same model");
      }
      weights.validate(module);
      return weights;
    } catch (WeightsException contradiction) {
      throw new FormatException(
          file.source() + ": layer " + module + ": " + contradiction.problem(),
          "write the file again",
          contradiction);
    }
  }

  private Weights weights(Tensors tensors, int rows, int columns) {
    return switch (this) {
      case DENSE -> new Dense(tensors.required("weight").tensor());
      case QUANTIZED -> {
        SafetensorsFile.Entry codes = tensors.required("weight");
        yield new Quantized(rows, columns, tensors.integers(codes));
      }
      case CODEBOOK -> new Codebook(rows, columns, tensors.codes((long) rows * columns));
      case SPARSE24 -> {
        int groups = Sparse24.groups(columns);
        Mask mask = new Mask(rows, groups * Sparse24.GROUP, tensors.bytes("bitmask"));
        yield new Sparse24(
            rows, columns, mask, tensors.values((long) rows * groups * Sparse24.KEPT));
      }
      case UNSTRUCTURED -> {
        Mask mask = new Mask(rows, columns, tensors.bytes("bitmask"));
        yield new SparseCsr(
            rows,
            columns,
            mask,
            tensors.required("row_offsets", SafetensorsType.I64).data(),
            tensors.values(mask.kept()));
      }
    };
  }

  /** The tensors of one layer. */
  private record Tensors(SafetensorsFile file, String module) {
    SafetensorsFile.Entry required(String part) {
      return file.entry(module + "." + part)
          .orElseThrow(
              () ->
                  new WeightsException(
                      "its tensor '" + module + "." + part + "' is missing",
                      "write the file again"));
    }

    SafetensorsFile.Entry required(String part, SafetensorsType type) {
      SafetensorsFile.Entry entry = required(part);
      if (entry.type() != type) {
        throw new WeightsException(
            "its tensor '"
                + entry.name()
                + "' has the type "
                + entry.type()
                + " instead of "
                + type,
            "write the file again");
      }
      return entry;
    }

    MemorySegment bytes(String part) {
      return required(part, SafetensorsType.U8).data();
    }

    Values values(long count) {
      if (file.entry(module + ".codes").isPresent()) {
        return codes(count);
      }
      SafetensorsFile.Entry stored = required("compressed");
      Values values =
          stored.type().dtype().filter(DType::isFloating).isPresent()
              ? new FloatValues(stored.type().dtype().get(), stored.data())
              : integers(stored);
      if (values.count() != count) {
        throw new WeightsException(
            "it stores " + values.count() + " values where its mask keeps " + count,
            "write the file again");
      }
      return values;
    }

    IntegerValues integers(SafetensorsFile.Entry codes) {
      MemorySegment zeroPoints =
          file.entry(module + ".weight_zero_point")
              .map(SafetensorsFile.Entry::data)
              .orElse(IntegerValues.SYMMETRIC);
      return new IntegerValues(
          codes.tensor().dtype(),
          codes.data(),
          required("weight_scale", SafetensorsType.F32).data(),
          zeroPoints);
    }

    CodeValues codes(long count) {
      Tensor codebook = required("codebook", SafetensorsType.F32).tensor();
      long size = codebook.shape().rank() == 2 ? codebook.shape().extent(1) : 0;
      if (size != 2 && size != 4 && size != 16 && size != 256) {
        throw new WeightsException(
            "its codebook has the shape " + codebook.shape(), "store 2, 4, 16 or 256 centroids");
      }
      return new CodeValues(
          Long.numberOfTrailingZeros(size), count, bytes("codes"), codebook.data());
    }
  }
}
