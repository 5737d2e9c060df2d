package dev.filigree.djl;

import ai.djl.ndarray.types.DataType;
import dev.filigree.DType;

/** DJL's names of element types and ours. */
final class DataTypes {
  private DataTypes() {}

  /**
   * The type of a tensor.
   *
   * @throws IllegalArgumentException if no tensor can have it
   */
  static DType of(DataType type) {
    return switch (type) {
      case FLOAT64 -> DType.F64;
      case FLOAT32 -> DType.F32;
      case FLOAT16 -> DType.F16;
      case BFLOAT16 -> DType.BF16;
      case INT8 -> DType.I8;
      case UINT8 -> DType.U8;
      case INT16 -> DType.I16;
      case UINT16 -> DType.U16;
      case INT32 -> DType.I32;
      case UINT32 -> DType.U32;
      case INT64 -> DType.I64;
      case UINT64 -> DType.U64;
      case BOOLEAN -> DType.BOOL;
      default ->
          throw new IllegalArgumentException(
              "an array of " + type + " cannot be an input; convert it to numbers first");
    };
  }

  /** The type of an array. */
  static DataType of(DType type) {
    return switch (type) {
      case F64 -> DataType.FLOAT64;
      case F32 -> DataType.FLOAT32;
      case F16 -> DataType.FLOAT16;
      case BF16 -> DataType.BFLOAT16;
      case I8 -> DataType.INT8;
      case U8 -> DataType.UINT8;
      case I16 -> DataType.INT16;
      case U16 -> DataType.UINT16;
      case I32 -> DataType.INT32;
      case U32 -> DataType.UINT32;
      case I64 -> DataType.INT64;
      case U64 -> DataType.UINT64;
      case BOOL -> DataType.BOOLEAN;
    };
  }
}
