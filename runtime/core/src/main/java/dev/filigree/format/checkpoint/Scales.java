package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * The scales of a layer, row-major, where they lie in the file.
 *
 * @param type f32, f16 or bf16
 * @param data {@code [rows, groups]}, where either may be 1
 * @param rows 1, one for each output, or one for each block of outputs
 * @param groups scales along the inputs
 */
record Scales(DType type, MemorySegment data, int rows, int groups) {
  private static final float[] ONE = {1};

  /**
   * Reads {@code weight_scale}, or {@code weight_scale_inv} as the fp8 method calls it: one for
   * all, one a row, or {@code [rows, groups]}; a layer without has the scale 1.
   *
   * @param rows outputs of the layer
   * @param columns inputs, of which each group covers at least one
   */
  static Scales of(LayerParts parts, int rows, int columns) {
    Optional<SafetensorsFile.Entry> found =
        parts.find("weight_scale").or(() -> parts.find("weight_scale_inv"));
    if (found.isEmpty()) {
      return new Scales(DType.F32, MemorySegment.ofArray(ONE), 1, 1);
    }
    SafetensorsFile.Entry entry = found.get();
    parts.requireType(entry, SafetensorsType.F32, SafetensorsType.F16, SafetensorsType.BF16);
    DType type = entry.type().dtype().orElseThrow();
    long count = entry.shape().elements();
    if (count == 1) {
      return new Scales(type, entry.data(), 1, 1);
    }
    int rank = entry.shape().rank();
    long first = rank == 0 ? 0 : entry.shape().extent(0);
    long groups = first == 0 ? 0 : count / first;
    if (rank > 2 || first < 1 || first > rows || groups < 1 || groups > columns) {
      throw parts.wrong(
          "its scales have the shape " + entry.shape() + " for " + rows + " x " + columns);
    }
    return new Scales(type, entry.data(), (int) first, (int) groups);
  }

  /** Whether one scale serves the whole layer. */
  boolean isOne() {
    return rows == 1 && groups == 1;
  }

  /** A scale. */
  float at(int row, int group) {
    return (float) type.readDouble(data, ((long) row * groups + group) * type.bytes());
  }

  /** All scales as f32, converted where they are not. */
  MemorySegment floats(LayerParts parts) {
    if (type == DType.F32) {
      return data;
    }
    long count = data.byteSize() / type.bytes();
    MemorySegment floats = parts.arena().allocate(count * Float.BYTES, 64);
    for (long i = 0; i < count; i++) {
      floats.set(DType.FLOAT, i * Float.BYTES, (float) type.readDouble(data, i * type.bytes()));
    }
    return floats;
  }
}
