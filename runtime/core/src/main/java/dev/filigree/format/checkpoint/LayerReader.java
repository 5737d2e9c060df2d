package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.WeightsException;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
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
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Comparator;

/**
 * Reads the layers of a checkpoint as logical weights. What form a layer has say its tensors;
 * {@code config.json} adds what they cannot show, the bits and groups of packed integers. Forms
 * that Filigree has are used where they lie in the mapped file; others are re-encoded without loss
 * into memory of the checkpoint.
 */
final class LayerReader implements WeightSource {
  private final CheckpointTensors tensors;
  private final QuantizationConfig config;
  private final Arena arena;

  LayerReader(CheckpointTensors tensors, QuantizationConfig config, Arena arena) {
    this.tensors = tensors;
    this.config = config;
    this.arena = arena;
  }

  @Override
  public boolean has(String tensor) {
    return tensors.entry(tensor).isPresent();
  }

  @Override
  public boolean hasLayer(String module) {
    LayerParts parts = parts(module);
    return LayerForm.of(parts).isPresent();
  }

  @Override
  public int rows(String module) {
    return weights(parts(module)).rows();
  }

  @Override
  public String prefix(String suffix) {
    return tensors.entries().keySet().stream()
        .filter(name -> name.equals(suffix) || name.endsWith("." + suffix))
        .min(Comparator.comparingInt(String::length))
        .map(name -> name.substring(0, name.length() - suffix.length()))
        .orElseThrow(
            () ->
                new FormatException(
                    "the checkpoint lacks a tensor '" + suffix + "'",
                    "check that config.json and the weights belong together"));
  }

  @Override
  public Tensor tensor(String name, long... extents) {
    SafetensorsFile.Entry entry =
        tensors
            .entry(name)
            .orElseThrow(
                () ->
                    new FormatException(
                        "the checkpoint lacks the tensor '" + name + "'",
                        "check that config.json and the weights belong together"));
    LayerParts parts = parts(name);
    parts.requireShape(entry, extents);
    return Tensor.of(DType.F32, Shape.of(extents), parts.floats(entry));
  }

  /**
   * The weights of a module.
   *
   * @throws FormatException if they are missing, damaged, or not of the extents the graph wants
   * @throws dev.filigree.UnsupportedException if their form is none Filigree knows
   */
  @Override
  public Weights weights(String module, int rows, int columns) {
    return checked(module, rows, columns, false);
  }

  @Override
  public Weights linear(String module, int out, int in, boolean turned) {
    return checked(module, out, in, turned);
  }

  private Weights checked(String module, int rows, int columns, boolean turned) {
    LayerParts parts = parts(module);
    try {
      Weights weights = weights(parts);
      if (turned && weights instanceof Dense(Tensor tensor)) {
        weights = new Dense(tensor.permute(1, 0));
      }
      if (weights.rows() != rows || weights.columns() != columns) {
        throw parts.wrong(
            "its weights are "
                + weights.rows()
                + " x "
                + weights.columns()
                + " where config.json says "
                + rows
                + " x "
                + columns);
      }
      weights.validate(module);
      return weights;
    } catch (WeightsException contradiction) {
      throw new FormatException(
          "layer " + module + ": " + contradiction.problem(),
          "download the checkpoint again",
          contradiction);
    }
  }

  private LayerParts parts(String module) {
    return new LayerParts(tensors, module, arena);
  }

  private Weights weights(LayerParts parts) {
    LayerForm form =
        LayerForm.of(parts)
            .orElseThrow(() -> parts.wrong("the checkpoint has no weights of that name"));
    return switch (form) {
      case DENSE -> dense(parts);
      case TURNED -> turned(parts);
      case SPARSE_24_BITMASK -> sparse24(parts);
      case SPARSE_BITMASK -> unstructured(parts);
      case PACK_QUANTIZED -> PackedLayers.packQuantized(parts, scheme(parts), config.denseStream());
      case MARLIN_24 -> Marlin24.read(parts, scheme(parts));
      case GPTQ -> PackedLayers.gptq(parts, scheme(parts), config.zeroOffset());
      case AWQ -> PackedLayers.awq(parts, scheme(parts));
      case BITSANDBYTES_INT8 -> BitsAndBytes.int8(parts);
      case BITSANDBYTES_4BIT -> BitsAndBytes.fourBits(parts);
      case MXFP4 -> Mxfp4.read(parts);
      case NVFP4 ->
          throw parts.unsupported(
              "its weights are 4-bit floats (nvfp4)",
              "the nearest supported forms are mxfp4 and pack-quantized");
    };
  }

  private Scheme scheme(LayerParts parts) {
    return config
        .group(parts.module())
        .map(QuantizationConfig.Group::scheme)
        .orElseThrow(
            () ->
                parts.wrong(
                    "config.json has no quantisation scheme for it, so nothing says how many bits"
                        + " its packed weights have"));
  }

  private Weights dense(LayerParts parts) {
    SafetensorsFile.Entry entry = parts.require("weight");
    if (entry.shape().rank() != 2) {
      throw parts.wrong("its weights have the shape " + entry.shape() + ", no matrix");
    }
    int rows = extent(parts, entry.shape().extent(0));
    int columns = extent(parts, entry.shape().extent(1));
    return switch (entry.type()) {
      case F32, F16, BF16 -> new Dense(entry.tensor());
      case I8 -> {
        Scales scales = Scales.of(parts, rows, columns);
        yield scales.groups() == 1
            ? new Quantized(rows, columns, integers(parts, entry.data(), scales))
            : PackedLayers.grouped(parts, entry.data(), rows, columns, scales);
      }
      case F8_E4M3 -> float8(parts, entry.data(), rows, columns);
      default ->
          throw parts.unsupported(
              "its weights have the type " + entry.type(),
              "the nearest supported are F32, F16, BF16, F8_E4M3 and I8");
    };
  }

  private static Weights turned(LayerParts parts) {
    SafetensorsFile.Entry entry = parts.require("turned");
    parts.requireType(entry, SafetensorsType.F32, SafetensorsType.F16, SafetensorsType.BF16);
    return new Dense(entry.tensor().permute(1, 0));
  }

  private Weights float8(LayerParts parts, MemorySegment codes, int rows, int columns) {
    Scales scales = Scales.of(parts, rows, columns);
    if (scales.groups() != 1 || !scales.isOne() && scales.rows() != rows) {
      return Float8.blocks(parts, codes, rows, columns, scales, config.block(parts.module()));
    }
    return new Codebook(rows, columns, float8(parts, codes, scales));
  }

  private CodeValues float8(LayerParts parts, MemorySegment codes, Scales scales) {
    if (Float8.hasNan(codes)) {
      throw parts.wrong("its 8-bit floats hold NaN");
    }
    return new CodeValues(
        Byte.SIZE, codes.byteSize(), codes, Float8.codebooks(scales.floats(parts), arena));
  }

  private static IntegerValues integers(LayerParts parts, MemorySegment codes, Scales scales) {
    MemorySegment zeroPoints =
        parts
            .find("weight_zero_point")
            .map(
                entry -> {
                  parts.requireType(entry, SafetensorsType.I8);
                  if (entry.shape().elements() != (long) scales.rows() * scales.groups()) {
                    throw parts.wrong("it has other numbers of zero points and scales");
                  }
                  return entry.data();
                })
            .orElse(IntegerValues.SYMMETRIC);
    return new IntegerValues(DType.I8, codes, scales.floats(parts), zeroPoints);
  }

  private Weights sparse24(LayerParts parts) {
    int[] extents = parts.extents("shape");
    int rows = extents[0];
    int columns = extents[1];
    if (columns % Sparse24.GROUP != 0) {
      throw parts.wrong("it has " + columns + " columns, no multiple of " + Sparse24.GROUP);
    }
    long kept = (long) columns / Sparse24.GROUP * Sparse24.KEPT;
    SafetensorsFile.Entry compressed = parts.require("compressed");
    parts.requireShape(compressed, rows, kept);
    return new Sparse24(rows, columns, mask(parts, rows, columns), values(parts, compressed, rows));
  }

  private Weights unstructured(LayerParts parts) {
    int[] extents = parts.extents("shape");
    int rows = extents[0];
    int columns = extents[1];
    Mask mask = mask(parts, rows, columns);
    SafetensorsFile.Entry compressed = parts.require("compressed");
    parts.requireShape(compressed, mask.kept());
    return new SparseCsr(
        rows,
        columns,
        mask,
        parts.data("row_offsets", SafetensorsType.I64, rows),
        values(parts, compressed, rows));
  }

  private Mask mask(LayerParts parts, int rows, int columns) {
    return new Mask(
        rows,
        columns,
        parts.data("bitmask", SafetensorsType.U8, rows, Math.ceilDiv(columns, Byte.SIZE)));
  }

  /** The kept values of a sparse layer, in the type the file has them. */
  private Values values(LayerParts parts, SafetensorsFile.Entry compressed, int rows) {
    return switch (compressed.type()) {
      case F32, F16, BF16 ->
          new FloatValues(compressed.type().dtype().orElseThrow(), compressed.data());
      case I8 -> integers(parts, compressed.data(), rowScales(parts, rows));
      case F8_E4M3 -> float8(parts, compressed.data(), rowScales(parts, rows));
      default ->
          throw parts.unsupported(
              "its kept weights have the type " + compressed.type(),
              "the nearest supported are F32, F16, BF16, F8_E4M3 and I8");
    };
  }

  private Scales rowScales(LayerParts parts, int rows) {
    Scales scales = Scales.of(parts, rows, 1);
    if (scales.groups() != 1) {
      throw parts.unsupported(
          "its kept weights are scaled by groups", "the nearest supported are scales by row");
    }
    return scales;
  }

  private static int extent(LayerParts parts, long extent) {
    if (extent < 1 || extent > Integer.MAX_VALUE) {
      throw parts.wrong("its weights have an extent of " + extent);
    }
    return (int) extent;
  }
}
