package dev.filigree.format.container;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.WeightsException;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Values;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;

/**
 * The tensors of one layer of a file, each checked for the type and shape it must have. What is
 * wrong is thrown as a {@link WeightsException} that names the tensor but not the file.
 *
 * @param file that holds them
 * @param module the layer, which their names begin with
 */
record LayerTensors(SafetensorsFile file, String module) {
  private static final String REMEDY = "write the file again";

  private Optional<SafetensorsFile.Entry> optional(String part) {
    return file.entry(module + "." + part);
  }

  private SafetensorsFile.Entry required(String part) {
    return optional(part)
        .orElseThrow(
            () ->
                new WeightsException(
                    "its tensor '" + module + "." + part + "' is missing", REMEDY));
  }

  private SafetensorsFile.Entry required(String part, SafetensorsType type) {
    SafetensorsFile.Entry entry = required(part);
    if (entry.type() != type) {
      throw new WeightsException(
          "its tensor '" + entry.name() + "' has the type " + entry.type() + " instead of " + type,
          REMEDY);
    }
    return entry;
  }

  private static void requireShape(SafetensorsFile.Entry entry, Shape shape) {
    if (!entry.shape().equals(shape)) {
      throw new WeightsException(
          "its tensor '"
              + entry.name()
              + "' has the shape "
              + entry.shape()
              + " where "
              + shape
              + " is expected",
          REMEDY);
    }
  }

  /** The bytes of a tensor of a type and shape. */
  MemorySegment data(String part, SafetensorsType type, Shape shape) {
    SafetensorsFile.Entry entry = required(part, type);
    requireShape(entry, shape);
    return entry.data();
  }

  /** Requires the tensor that repeats the extents of the dense matrix to agree with the graph. */
  void requireShape(String part, int rows, int columns) {
    SafetensorsFile.Entry entry = required(part, SafetensorsType.I64);
    boolean two = entry.shape().elements() == 2;
    long[] stored = two ? entry.tensor().toLongs() : new long[0];
    if (!two || stored[0] != rows || stored[1] != columns) {
      throw new WeightsException(
          "its tensor '"
              + entry.name()
              + "' says "
              + Arrays.toString(stored)
              + " where the graph expects "
              + Shape.of(rows, columns),
          "write graph and weights from the same model");
    }
  }

  /** The mask of a matrix. */
  Mask mask(int rows, int columns) {
    Shape shape = Shape.of(rows, Math.ceilDiv(columns, 8));
    return new Mask(rows, columns, data("bitmask", SafetensorsType.U8, shape));
  }

  /** Values of a sparse layer, in whichever encoding the file has them. */
  Values sparseValues(Shape shape) {
    if (optional("codes").isPresent()) {
      return codes(shape.elements());
    }
    if (optional("weight_packed").isPresent()) {
      // an unstructured layer is one row of values
      boolean isMatrix = shape.rank() == 2;
      return packed(isMatrix ? shape.extent(0) : 1, shape.extent(-1));
    }
    return values("compressed", shape);
  }

  private Values values(String part, Shape shape) {
    boolean floating = required(part).type().dtype().filter(DType::isFloating).isPresent();
    return floating ? floats(part, shape) : integers(part, shape);
  }

  /** Floats. */
  FloatValues floats(String part, Shape shape) {
    SafetensorsFile.Entry floats = required(part);
    DType dtype = requireType(floats, DType.F32, DType.F16, DType.BF16);
    requireShape(floats, shape);
    return new FloatValues(dtype, floats.data());
  }

  /** Integers with their scales. */
  IntegerValues integers(String part, Shape shape) {
    SafetensorsFile.Entry codes = required(part);
    DType dtype = requireType(codes, DType.I8, DType.U8);
    requireShape(codes, shape);
    MemorySegment zeroPoints =
        optional("weight_zero_point").isEmpty()
            ? IntegerValues.SYMMETRIC
            : required("weight_zero_point", codes.type()).data();
    return new IntegerValues(
        dtype, codes.data(), required("weight_scale", SafetensorsType.F32).data(), zeroPoints);
  }

  private static DType requireType(SafetensorsFile.Entry entry, DType... choices) {
    return entry
        .type()
        .dtype()
        .filter(Set.of(choices)::contains)
        .orElseThrow(
            () ->
                new WeightsException(
                    "its tensor '"
                        + entry.name()
                        + "' has the type "
                        + entry.type()
                        + " instead of one of "
                        + Arrays.toString(choices),
                    REMEDY));
  }

  /** Integers of a few bits in rows of words, with the scales of their groups. */
  PackedIntegers packed(long rowsOfValues, long valuesOfRow) {
    // an unstructured layer that keeps nothing has no row
    long rows = valuesOfRow == 0 ? 0 : rowsOfValues;
    long perRow = Math.max(1, valuesOfRow);
    SafetensorsFile.Entry packing = required("weight_packing", SafetensorsType.I64);
    requireShape(packing, Shape.of(2));
    long[] bitsAndGroup = packing.tensor().toLongs();
    long bits = bitsAndGroup[0];
    long group = bitsAndGroup[1];
    if (bits < PackedIntegers.LEAST_BITS
        || bits > PackedIntegers.MOST_BITS
        || group < 1
        || group > perRow
        || perRow > Integer.MAX_VALUE) {
      throw new WeightsException(
          "it packs rows of " + perRow + " values into " + bits + " bits in groups of " + group,
          REMEDY);
    }
    int words = PackedIntegers.wordsPerRow((int) perRow, (int) bits);
    SafetensorsFile.Entry scales = required("weight_scale");
    DType scaleType = requireType(scales, DType.F32, DType.F16, DType.BF16);
    if (scales.shape().elements() != 1) {
      requireShape(scales, Shape.of(rows, Math.ceilDiv(perRow, group)));
    }
    return new PackedIntegers(
        (int) bits,
        (int) perRow,
        (int) group,
        data("weight_packed", SafetensorsType.I32, Shape.of(rows, words)),
        scaleType,
        scales.data(),
        optional("weight_zero_point").isEmpty()
            ? PackedIntegers.NONE
            : data("weight_zero_point", SafetensorsType.U8, Shape.of(scales.shape().elements())),
        optional("weight_g_idx").isEmpty()
            ? PackedIntegers.NONE
            : data("weight_g_idx", SafetensorsType.I32, Shape.of(perRow)));
  }

  /** Codes with their codebooks, whose second axis says how many bits a code has. */
  CodeValues codes(long count) {
    SafetensorsFile.Entry codebook = required("codebook", SafetensorsType.F32);
    long size = codebook.shape().rank() == 2 ? codebook.shape().extent(1) : 0;
    if (size != 2 && size != 4 && size != 16 && size != 256) {
      throw new WeightsException(
          "its codebook has the shape " + codebook.shape(), "store 2, 4, 16 or 256 centroids");
    }
    int bits = Long.numberOfTrailingZeros(size);
    MemorySegment codes = required("codes", SafetensorsType.U8).data();
    return optional("codebook_rows").isEmpty()
        ? new CodeValues(bits, count, codes, codebook.data())
        : new CodeValues(bits, count, codes, codebook.data(), rowsPerBook());
  }

  /** Rows that share a codebook, which a file says if there is neither one for all nor for each. */
  private int rowsPerBook() {
    SafetensorsFile.Entry entry = required("codebook_rows", SafetensorsType.I64);
    requireShape(entry, Shape.of(1));
    long rows = entry.tensor().toLongs()[0];
    if (rows < 2 || rows > Integer.MAX_VALUE) {
      throw new WeightsException("a codebook of it serves " + rows + " rows", REMEDY);
    }
    return (int) rows;
  }
}
