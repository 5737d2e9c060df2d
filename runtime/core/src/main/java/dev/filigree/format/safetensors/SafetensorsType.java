package dev.filigree.format.safetensors;

import dev.filigree.DType;
import java.util.Optional;

/** Element types of the safetensors format, closed: a name that is not here is refused. */
public enum SafetensorsType {
  BOOL(8, DType.BOOL),
  U8(8, DType.U8),
  I8(8, DType.I8),
  F8_E4M3(8, null),
  F8_E5M2(8, null),
  I16(16, DType.I16),
  U16(16, DType.U16),
  F16(16, DType.F16),
  BF16(16, DType.BF16),
  I32(32, DType.I32),
  U32(32, DType.U32),
  F32(32, DType.F32),
  F64(64, DType.F64),
  I64(64, DType.I64),
  U64(64, DType.U64);

  private final int bits;
  private final DType dtype;

  SafetensorsType(int bits, DType dtype) {
    this.bits = bits;
    this.dtype = dtype;
  }

  /** Bytes of an element. */
  public int bytes() {
    return bits / 8;
  }

  /** The tensor type that holds such elements, if there is one. */
  public Optional<DType> dtype() {
    return Optional.ofNullable(dtype);
  }

  /** The type a name stands for. */
  public static Optional<SafetensorsType> of(String name) {
    for (SafetensorsType type : values()) {
      if (type.name().equals(name)) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }

  /** The type of a tensor's elements. */
  public static SafetensorsType of(DType dtype) {
    return valueOf(dtype.name());
  }
}
