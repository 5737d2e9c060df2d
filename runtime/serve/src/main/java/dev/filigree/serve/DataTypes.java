package dev.filigree.serve;

import dev.filigree.DType;
import java.util.EnumMap;
import java.util.Map;
import java.util.TreeMap;

/** Names of element types in the Open Inference Protocol. */
final class DataTypes {
  private static final Map<DType, String> NAMES = names();
  private static final Map<String, DType> TYPES = new TreeMap<>();

  static {
    NAMES.forEach((type, name) -> TYPES.put(name, type));
  }

  private DataTypes() {}

  private static Map<DType, String> names() {
    Map<DType, String> names = new EnumMap<>(DType.class);
    for (DType type : DType.values()) {
      names.put(
          type,
          switch (type) {
            case F64 -> "FP64";
            case F32 -> "FP32";
            case F16 -> "FP16";
            case BF16 -> "BF16";
            case I8 -> "INT8";
            case U8 -> "UINT8";
            case I16 -> "INT16";
            case U16 -> "UINT16";
            case I32 -> "INT32";
            case U32 -> "UINT32";
            case I64 -> "INT64";
            case U64 -> "UINT64";
            case BOOL -> "BOOL";
          });
    }
    return names;
  }

  static String name(DType type) {
    return NAMES.get(type);
  }

  /**
   * The type of a name.
   *
   * @throws HttpFailure if there is none
   */
  static DType type(String input, String name) {
    DType type = TYPES.get(name);
    if (type == null) {
      throw HttpFailure.bad(
          "input '"
              + input
              + "' has the datatype '"
              + Text.shown(name)
              + "'; use one of "
              + TYPES.keySet()
              + ", or "
              + TextTensor.DATATYPE
              + " for texts");
    }
    return type;
  }
}
