package dev.filigree.graph;

import dev.filigree.DType;
import java.util.Map;
import java.util.function.Function;

/** ONNX's numbers for element types (onnx.proto, TensorProto.DataType). */
public final class OnnxTypes {
  private static final Map<Long, DType> SUPPORTED =
      Map.ofEntries(
          Map.entry(1L, DType.F32),
          Map.entry(2L, DType.U8),
          Map.entry(3L, DType.I8),
          Map.entry(4L, DType.U16),
          Map.entry(5L, DType.I16),
          Map.entry(6L, DType.I32),
          Map.entry(7L, DType.I64),
          Map.entry(9L, DType.BOOL),
          Map.entry(10L, DType.F16),
          Map.entry(11L, DType.F64),
          Map.entry(12L, DType.U32),
          Map.entry(13L, DType.U64),
          Map.entry(16L, DType.BF16));

  private static final Map<Long, String> NAMES =
      Map.ofEntries(
          Map.entry(8L, "string"),
          Map.entry(14L, "complex64"),
          Map.entry(15L, "complex128"),
          Map.entry(17L, "float8e4m3fn"),
          Map.entry(18L, "float8e4m3fnuz"),
          Map.entry(19L, "float8e5m2"),
          Map.entry(20L, "float8e5m2fnuz"),
          Map.entry(21L, "uint4"),
          Map.entry(23L, "float4e2m1"),
          Map.entry(24L, "float8e8m0"),
          Map.entry(22L, "int4"));

  private OnnxTypes() {}

  /**
   * The type with a number.
   *
   * @param unsupported makes the exception, from the type's name
   */
  public static <E extends RuntimeException> DType dtype(
      long number, Function<String, E> unsupported) {
    DType dtype = SUPPORTED.get(number);
    if (dtype == null) {
      throw unsupported.apply(NAMES.getOrDefault(number, "element type " + number));
    }
    return dtype;
  }

  /** Whether a number is that of a type Filigree computes with. */
  public static boolean isSupported(long number) {
    return SUPPORTED.containsKey(number);
  }

  /** The number of a type. */
  public static int number(DType dtype) {
    return switch (dtype) {
      case F32 -> 1;
      case U8 -> 2;
      case I8 -> 3;
      case U16 -> 4;
      case I16 -> 5;
      case I32 -> 6;
      case I64 -> 7;
      case BOOL -> 9;
      case F16 -> 10;
      case F64 -> 11;
      case U32 -> 12;
      case U64 -> 13;
      case BF16 -> 16;
    };
  }
}
