package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Tensor;
import java.lang.foreign.MemorySegment;

/** Copies between tensors of the process and the device's rows, which are a pitch apart. */
final class HostRows {
  private HostRows() {}

  /**
   * Writes elements of a contiguous tensor as rows, zeros behind the columns.
   *
   * @param from first element, the start of a row
   * @param to behind the last element, the end of a row
   */
  static void write(
      Tensor tensor, long from, long to, MemorySegment rows, DType dtype, int columns, int pitch) {
    DType own = tensor.dtype();
    int bytes = dtype.bytes();
    if (own == dtype && columns == pitch) {
      MemorySegment.copy(tensor.data(), from * bytes, rows, 0, (to - from) * bytes);
      return;
    }
    long row = 0;
    for (long element = from; element < to; element += columns, row++) {
      long start = row * pitch * bytes;
      if (own == dtype) {
        MemorySegment.copy(tensor.data(), element * bytes, rows, start, (long) columns * bytes);
      } else {
        convert(tensor.data(), own, element, rows, dtype, start / bytes, columns);
      }
      rows.asSlice(start + (long) columns * bytes, (long) (pitch - columns) * bytes).fill((byte) 0);
    }
  }

  /** Reads rows into elements of a contiguous tensor. */
  static void read(
      MemorySegment rows, DType dtype, int columns, int pitch, Tensor tensor, long from, long to) {
    DType own = tensor.dtype();
    int bytes = dtype.bytes();
    if (own == dtype && columns == pitch) {
      MemorySegment.copy(rows, 0, tensor.data(), from * bytes, (to - from) * bytes);
      return;
    }
    long row = 0;
    for (long element = from; element < to; element += columns, row++) {
      long start = row * pitch * bytes;
      if (own == dtype) {
        MemorySegment.copy(rows, start, tensor.data(), element * bytes, (long) columns * bytes);
      } else {
        convert(rows, dtype, row * pitch, tensor.data(), own, element, columns);
      }
    }
  }

  private static void convert(
      MemorySegment from,
      DType fromType,
      long fromElement,
      MemorySegment to,
      DType toType,
      long toElement,
      int count) {
    if (fromType == DType.F32 && toType == DType.F16) {
      for (int i = 0; i < count; i++) {
        float value = from.get(DType.FLOAT, (fromElement + i) * Float.BYTES);
        to.set(DType.SHORT, (toElement + i) * Short.BYTES, Float.floatToFloat16(value));
      }
    } else if (fromType == DType.F16 && toType == DType.F32) {
      for (int i = 0; i < count; i++) {
        short value = from.get(DType.SHORT, (fromElement + i) * Short.BYTES);
        to.set(DType.FLOAT, (toElement + i) * Float.BYTES, Float.float16ToFloat(value));
      }
    } else if (fromType.isFloating()) {
      for (int i = 0; i < count; i++) {
        toType.writeDouble(
            to,
            (toElement + i) * toType.bytes(),
            fromType.readDouble(from, (fromElement + i) * fromType.bytes()));
      }
    } else {
      for (int i = 0; i < count; i++) {
        toType.writeLong(
            to,
            (toElement + i) * toType.bytes(),
            fromType.readLong(from, (fromElement + i) * fromType.bytes()));
      }
    }
  }
}
