package dev.filigree.format.checkpoint;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.format.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes the files of a checkpoint for tests. */
final class CheckpointFolder {
  private final Path folder;
  private final SafetensorsWriter tensors = new SafetensorsWriter();
  private String config = "{}";

  CheckpointFolder(Path folder) {
    this.folder = folder;
  }

  CheckpointFolder config(String json) {
    config = json;
    return this;
  }

  CheckpointFolder floats(String name, float[] values, long... extents) {
    tensors.add(name, Tensor.of(values, extents));
    return this;
  }

  CheckpointFolder halves(String name, float[] values, long... extents) {
    short[] halves = new short[values.length];
    for (int i = 0; i < halves.length; i++) {
      halves[i] = Float.floatToFloat16(values[i]);
    }
    return add(name, SafetensorsType.F16, MemorySegment.ofArray(halves), extents);
  }

  CheckpointFolder ints(String name, int[] values, long... extents) {
    return add(name, SafetensorsType.I32, MemorySegment.ofArray(values), extents);
  }

  CheckpointFolder longs(String name, long[] values, long... extents) {
    return add(name, SafetensorsType.I64, MemorySegment.ofArray(values), extents);
  }

  CheckpointFolder shorts(String name, short[] values, long... extents) {
    return add(name, SafetensorsType.I16, MemorySegment.ofArray(values), extents);
  }

  CheckpointFolder bytes(String name, SafetensorsType type, byte[] values, long... extents) {
    return add(name, type, MemorySegment.ofArray(values), extents);
  }

  CheckpointFolder add(String name, SafetensorsType type, MemorySegment data, long... extents) {
    tensors.add(name, type, Shape.of(extents), data);
    return this;
  }

  /** Writes the folder. */
  Path write() {
    try {
      Files.createDirectories(folder);
      Files.writeString(folder.resolve(Checkpoint.CONFIG), config);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
    tensors.write(folder.resolve(CheckpointTensors.SINGLE));
    return folder;
  }

  /** Writes the folder and reads a layer of it. */
  float[] weights(Arena arena, String module, int rows, int columns) {
    write();
    return layers(folder, arena).weights(module, rows, columns).unpack();
  }

  /** Writes the folder and gives its layers. */
  LayerReader layers(Arena arena) {
    write();
    return layers(folder, arena);
  }

  private static LayerReader layers(Path folder, Arena arena) {
    return new LayerReader(
        CheckpointTensors.map(folder, arena),
        QuantizationConfig.read(JsonFile.read(folder.resolve(Checkpoint.CONFIG))),
        arena);
  }

  /** A config of compressed-tensors with one scheme for all linear layers. */
  static String compressedTensors(String format, String weights) {
    return """
    {"model_type": "bert", "quantization_config": {"quant_method": "compressed-tensors",
     "format": "%s", "version": "0.9.2", "ignore": ["lm_head"],
     "config_groups": {"group_0": {"targets": ["Linear"], "weights": %s}}}}
    """
        .formatted(format, weights);
  }
}
