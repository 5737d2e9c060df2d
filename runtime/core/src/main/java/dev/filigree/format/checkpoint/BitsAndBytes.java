package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.weights.Dense;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * Layers as bitsandbytes saves them (T. Dettmers et al., LLM.int8(), 2022, and QLoRA, 2023). Eight
 * bits are signed bytes with a scale a row and stay so. Four bits are codes of a table of sixteen
 * values, scaled by runs of the flattened weights, whose scales may be codes themselves; no form of
 * Filigree's scales a codebook so, and they become floats of the type they were made from, as
 * bitsandbytes itself computes with them.
 *
 * <pre>
 *   M.weight            U8 [n / 2, 1]   two codes a byte, the first in the high half
 *   M.weight.quant_map  F32 [16]        values of the codes
 *   M.weight.absmax     F32 [n / run], or with double quantisation U8 [n / run] with
 *   M.weight.nested_quant_map F32 [256], M.weight.nested_absmax F32 [n / run / nested run]
 *   M.weight.quant_state.bitsandbytes__nf4  U8: JSON of runs, shape, type
 * </pre>
 */
final class BitsAndBytes {
  /** Largest byte of a row. */
  private static final float LEVELS = 127;

  private static final int CODES = 16;
  private static final int SCALE_CODES = 256;
  private static final int MOST = 1 << 24;

  private BitsAndBytes() {}

  /** Reads {@code M.weight} I8 {@code [out, in]} and {@code M.SCB} f32 {@code [out]}. */
  static Weights int8(LayerParts parts) {
    SafetensorsFile.Entry codes = parts.require("weight");
    parts.requireType(codes, SafetensorsType.I8);
    if (codes.shape().rank() != 2) {
      throw parts.wrong("its weights have the shape " + codes.shape() + ", no matrix");
    }
    int rows = Math.toIntExact(codes.shape().extent(0));
    int columns = Math.toIntExact(codes.shape().extent(1));
    SafetensorsFile.Entry most = parts.require("SCB");
    parts.requireShape(most, rows);
    MemorySegment floats = parts.floats(most);
    MemorySegment scales = parts.arena().allocate((long) rows * Float.BYTES, 64);
    for (long row = 0; row < rows; row++) {
      float scale = floats.get(DType.FLOAT, row * Float.BYTES) / LEVELS;
      scales.set(DType.FLOAT, row * Float.BYTES, scale);
    }
    return new Quantized(
        rows, columns, new IntegerValues(DType.I8, codes.data(), scales, IntegerValues.SYMMETRIC));
  }

  /** Reads {@code nf4} and {@code fp4}. */
  static Weights fourBits(LayerParts parts) {
    JsonFile state = state(parts);
    DType type = type(parts, state.text("dtype").orElse("float32"));
    long[] shape = state.wholeNumbers("shape").stream().mapToLong(Long::longValue).toArray();
    int run = state.required("blocksize", 1, MOST);
    SafetensorsFile.Entry codes = parts.require("weight");
    parts.requireType(codes, SafetensorsType.U8);
    boolean isMatrix = shape.length == 2 && isExtent(shape[0]) && isExtent(shape[1]);
    if (!isMatrix || Math.ceilDiv(shape[0] * shape[1], 2) != codes.data().byteSize()) {
      throw parts.wrong(
          "its state says "
              + state.node().path("shape")
              + " of "
              + codes.data().byteSize()
              + " bytes of two codes each");
    }
    long count = shape[0] * shape[1];
    float[] values = table(parts, "quant_map", CODES);
    float[] scales = scales(parts, state, Math.ceilDiv(count, run));
    MemorySegment made = parts.arena().allocate(count * type.bytes(), 64);
    for (long i = 0; i < count; i++) {
      int pair = codes.data().get(DType.BYTE, i / 2);
      int code = (i % 2 == 0 ? pair >> 4 : pair) & (CODES - 1);
      type.writeDouble(made, i * type.bytes(), values[code] * scales[(int) (i / run)]);
    }
    return new Dense(Tensor.of(type, Shape.of(shape), made));
  }

  private static boolean isExtent(long extent) {
    return extent > 0 && extent <= Integer.MAX_VALUE;
  }

  private static JsonFile state(LayerParts parts) {
    SafetensorsFile.Entry entry =
        parts
            .find("quant_state.bitsandbytes__nf4")
            .or(() -> parts.find("quant_state.bitsandbytes__fp4"))
            .orElseThrow(() -> parts.wrong("its 'quant_state.bitsandbytes__nf4' is missing"));
    parts.requireType(entry, SafetensorsType.U8);
    return JsonFile.parse(Path.of(entry.name()), entry.data().toArray(DType.BYTE));
  }

  private static DType type(LayerParts parts, String name) {
    return switch (name) {
      case "float16" -> DType.F16;
      case "bfloat16" -> DType.BF16;
      case "float32" -> DType.F32;
      default ->
          throw parts.unsupported(
              "its weights were made from the type '" + name + "'",
              "the nearest supported are float16, bfloat16 and float32");
    };
  }

  private static float[] table(LayerParts parts, String part, int extent) {
    SafetensorsFile.Entry entry = parts.require(part);
    parts.requireShape(entry, extent);
    return parts.floats(entry).toArray(DType.FLOAT);
  }

  /** Scales of the runs; with double quantisation codes of a table, scaled by runs in turn. */
  private static float[] scales(LayerParts parts, JsonFile state, long runs) {
    SafetensorsFile.Entry entry = parts.require("absmax");
    parts.requireShape(entry, runs);
    if (entry.type() != SafetensorsType.U8) {
      return parts.floats(entry).toArray(DType.FLOAT);
    }
    int run = state.required("nested_blocksize", 1, MOST);
    double offset = state.real("nested_offset", -1e9, 1e9).orElse(0.0);
    float[] values = table(parts, "nested_quant_map", SCALE_CODES);
    float[] most = table(parts, "nested_absmax", Math.toIntExact(Math.ceilDiv(runs, run)));
    float[] scales = new float[Math.toIntExact(runs)];
    for (int i = 0; i < scales.length; i++) {
      int code = Byte.toUnsignedInt(entry.data().get(DType.BYTE, i));
      scales[i] = values[code] * most[i / run] + (float) offset;
    }
    return scales;
  }
}
