package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.UnsupportedException;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;

/**
 * The tensors of one module of a checkpoint, by the last part of their names. Early releases of
 * compressed-tensors put the part behind the parameter ({@code M.weight.bitmask}), later ones
 * behind the module ({@code M.bitmask}); both are found.
 *
 * @param tensors of the checkpoint
 * @param module its name, {@code M} above
 * @param arena owns what is converted
 */
record LayerParts(CheckpointTensors tensors, String module, Arena arena) {
  private static final String REMEDY = "download the checkpoint again";

  /** The tensor of a part, if the module has it. */
  Optional<SafetensorsFile.Entry> find(String part) {
    return tensors.entry(module + "." + part).or(() -> tensors.entry(module + ".weight." + part));
  }

  boolean has(String part) {
    return find(part).isPresent();
  }

  /** The tensor of a part the module must have. */
  SafetensorsFile.Entry require(String part) {
    return find(part)
        .orElseThrow(() -> wrong("its tensor '" + module + "." + part + "' is missing"));
  }

  /** The bytes of a part of a type and shape. */
  MemorySegment data(String part, SafetensorsType type, long... extents) {
    SafetensorsFile.Entry entry = require(part);
    requireType(entry, type);
    requireShape(entry, extents);
    return entry.data();
  }

  void requireShape(SafetensorsFile.Entry entry, long... extents) {
    if (!entry.shape().equals(Shape.of(extents))) {
      throw wrong(
          "its tensor '"
              + entry.name()
              + "' has the shape "
              + entry.shape()
              + " where "
              + Arrays.toString(extents)
              + " is expected");
    }
  }

  void requireType(SafetensorsFile.Entry entry, SafetensorsType... choices) {
    if (!Arrays.asList(choices).contains(entry.type())) {
      throw wrong(
          "its tensor '"
              + entry.name()
              + "' has the type "
              + entry.type()
              + " where "
              + Arrays.toString(choices)
              + " is expected");
    }
  }

  /** Rows and columns that a small integer tensor of two elements states. */
  int[] extents(String part) {
    SafetensorsFile.Entry entry = require(part);
    requireType(entry, SafetensorsType.I64, SafetensorsType.I32);
    if (entry.shape().elements() != 2) {
      throw wrong("its tensor '" + entry.name() + "' does not hold two extents");
    }
    long[] extents = entry.tensor().toLongs();
    for (long extent : extents) {
      if (extent < 1 || extent > Integer.MAX_VALUE) {
        throw wrong("its tensor '" + entry.name() + "' says " + Arrays.toString(extents));
      }
    }
    return new int[] {(int) extents[0], (int) extents[1]};
  }

  /** A floating-point tensor as f32, converted where it is not. */
  MemorySegment floats(SafetensorsFile.Entry entry) {
    requireType(entry, SafetensorsType.F32, SafetensorsType.F16, SafetensorsType.BF16);
    DType type = entry.type().dtype().orElseThrow();
    int count = Math.toIntExact(entry.shape().elements());
    return new Scales(type, entry.data(), 1, count).floats(this);
  }

  /** What is wrong with the module. */
  FormatException wrong(String problem) {
    return new FormatException("layer " + module + ": " + problem, REMEDY);
  }

  /** What is not supported of the module. */
  UnsupportedException unsupported(String problem, String nearest) {
    return new UnsupportedException("layer " + module + ": " + problem, nearest);
  }
}
