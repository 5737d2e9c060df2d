package dev.filigree.format.checkpoint;

import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
import java.util.Locale;
import java.util.Optional;

/** Forms in which checkpoints hold the weights of a layer, told apart by the tensors it has. */
enum LayerForm {
  /** {@code M.weight}: floats, or scaled I8 or F8_E4M3 with {@code M.weight_scale}. */
  DENSE,
  /** {@code M.turned}, floats that lie {@code [in, out]}: experts of one tensor a layer. */
  TURNED,
  /** {@code M.compressed, M.bitmask, M.shape}. */
  SPARSE_24_BITMASK,
  /** {@code M.compressed, M.bitmask, M.row_offsets, M.shape}. */
  SPARSE_BITMASK,
  /** {@code M.weight_packed, M.weight_scale, M.weight_shape}. */
  PACK_QUANTIZED,
  /** {@code M.weight_packed, M.scale_packed, M.meta}. */
  MARLIN_24,
  /** {@code M.qweight, M.qzeros, M.scales, M.g_idx}. */
  GPTQ,
  /** {@code M.qweight, M.qzeros, M.scales}, packed along the outputs. */
  AWQ,
  /** {@code M.weight} I8, {@code M.SCB}, of bitsandbytes. */
  BITSANDBYTES_INT8,
  /** {@code M.weight} U8, {@code M.weight.quant_map, M.weight.absmax}, of bitsandbytes. */
  BITSANDBYTES_4BIT,
  /** {@code M.weight_packed} of bytes with {@code M.weight_global_scale}. */
  NVFP4,
  /** {@code M.blocks} of bytes with two codes each, {@code M.scales} of one exponent a block. */
  MXFP4;

  /** The form of a module's weights; nothing if it has none. */
  static Optional<LayerForm> of(LayerParts parts) {
    if (parts.has("qweight")) {
      // GPTQ packs along the inputs, so that words and scales agree on the outputs
      return Optional.of(PackedLayers.isPackedAlongInputs(parts) ? GPTQ : AWQ);
    }
    if (parts.has("blocks")) {
      return Optional.of(MXFP4);
    }
    if (parts.has("turned")) {
      return Optional.of(TURNED);
    }
    if (parts.has("scale_packed")) {
      return Optional.of(MARLIN_24);
    }
    if (parts.has("weight_packed")) {
      return Optional.of(parts.has("weight_global_scale") ? NVFP4 : PACK_QUANTIZED);
    }
    if (parts.has("bitmask")) {
      return Optional.of(parts.has("row_offsets") ? SPARSE_BITMASK : SPARSE_24_BITMASK);
    }
    if (parts.has("quant_map")) {
      return Optional.of(BITSANDBYTES_4BIT);
    }
    if (parts.has("SCB")) {
      return Optional.of(BITSANDBYTES_INT8);
    }
    return parts.has("weight") ? Optional.of(DENSE) : Optional.empty();
  }

  /**
   * The name compressed-tensors gives it, for example {@code sparse-24-bitmask}.
   *
   * @param parts of the layer, whose codes tell scaled numbers from plain ones
   */
  String label(LayerParts parts) {
    SafetensorsType type = parts.find("weight").map(SafetensorsFile.Entry::type).orElse(null);
    return this == DENSE && type == SafetensorsType.I8
        ? "int-quantized"
        : this == DENSE && type == SafetensorsType.F8_E4M3
            ? "float-quantized"
            : this == TURNED ? "dense" : name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
