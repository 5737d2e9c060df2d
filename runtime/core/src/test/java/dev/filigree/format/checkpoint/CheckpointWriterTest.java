package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.OutputException;
import dev.filigree.Tensor;
import dev.filigree.WeightMatrix;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.graph.Constant;
import dev.filigree.testing.EncodedSamples;
import dev.filigree.testing.Floats;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is written as a checkpoint reads back as it was, in the form other tools expect. */
class CheckpointWriterTest {
  private static final int ROWS = 6;
  private static final int COLUMNS = 16;

  @TempDir private Path folder;

  private Model model() {
    Path file =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", Integer.toString(COLUMNS))
            .initializer("layer.weight", Tensor.of(new float[ROWS * COLUMNS], COLUMNS, ROWS))
            .initializer("layer.bias", Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, ROWS))
            .node("MatMul", "product", "x", "layer.weight")
            .node("Add", "y", "product", "layer.bias")
            .output("y", DType.F32, "batch", Integer.toString(ROWS))
            .write(folder.resolve("model.onnx"));
    return Model.open(file);
  }

  private static Model with(Model model, Weights weights) {
    WeightMatrix matrix = model.matrices().getFirst();
    return model.with(
        Map.of(matrix.constant(), new Constant.Compressed(weights, matrix.transposed())), Map.of());
  }

  private static Weights weights(Samples samples) {
    EncodedSamples any = EncodedSamples.any(samples, ROWS, COLUMNS);
    EncodedSamples shared = EncodedSamples.shared(samples, ROWS, COLUMNS);
    Dense dense = Dense.of(ROWS, COLUMNS, any.values());
    return switch (samples.between(0, 2)) {
      case 0 -> Sparse24.pack(dense, samples.mask24(ROWS, COLUMNS), any.encoder());
      case 1 ->
          SparseCsr.pack(
              Dense.of(ROWS, COLUMNS, shared.values()),
              samples.mask(ROWS, COLUMNS, 0.5),
              shared.encoder());
      default ->
          switch (any.encoder().encode(any.values(), ROWS, COLUMNS)) {
            case FloatValues floats -> dense.as(floats.dtype());
            case IntegerValues integers -> new Quantized(ROWS, COLUMNS, integers);
            case PackedIntegers packed -> new Packed(ROWS, COLUMNS, packed);
            case CodeValues codes -> new Codebook(ROWS, COLUMNS, codes);
          };
    };
  }

  @Seeded(60)
  void everyFormReadsBackBitByBit(Samples samples) throws IOException {
    Weights weights = weights(samples);
    Path target = folder.resolve("checkpoint");
    try (Model original = model();
        Model compressed = with(original, weights);
        Arena arena = Arena.ofConfined()) {
      CheckpointWriter.write(compressed, target);
      LayerReader layers =
          new LayerReader(
              CheckpointTensors.map(target, arena),
              QuantizationConfig.read(JsonFile.read(target.resolve(Checkpoint.CONFIG))),
              arena);
      Floats.assertSameBits(weights.unpack(), layers.weights("layer", ROWS, COLUMNS).unpack());
      Floats.assertSameBits(
          new float[] {1, 2, 3, 4, 5, 6}, layers.vector("layer.bias", ROWS).toFloats());
    }
  }

  @Test
  void sparse24TakesThePublishedFormAndSaysSo() throws IOException {
    Samples samples = new Samples(1);
    Weights weights =
        Sparse24.pack(
            Dense.of(ROWS, COLUMNS, samples.normal(ROWS * COLUMNS)),
            samples.mask24(ROWS, COLUMNS),
            (kept, rows, perRow) -> FloatValues.of(DType.F16, kept));
    Path target = folder.resolve("checkpoint");
    try (Model original = model();
        Model compressed = with(original, weights);
        Arena arena = Arena.ofConfined()) {
      CheckpointWriter.write(compressed, target);
      Map<String, SafetensorsFile.Entry> entries =
          SafetensorsFile.map(target.resolve("model.safetensors"), arena).entries();
      assertEquals("F16", entries.get("layer.compressed").type().name());
      assertEquals("[6, 8]", entries.get("layer.compressed").shape().toString());
      assertEquals("[6, 2]", entries.get("layer.bitmask").shape().toString());
      assertEquals("[2, 1]", entries.get("layer.shape").shape().toString());
      assertFalse(entries.containsKey("layer.weight"));
      String config = Files.readString(target.resolve("config.json"));
      assertTrue(config.contains("\"sparse-24-bitmask\""), config);
      assertTrue(config.contains("\"compressed-tensors\""), config);
    }
  }

  @Test
  void aFolderThatCannotBeMadeIsATypedError() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "x");
    try (Model original = model()) {
      OutputException failed =
          assertThrows(
              OutputException.class, () -> CheckpointWriter.write(original, file.resolve("sub")));
      assertTrue(failed.getMessage().contains(file.toString()), failed.getMessage());
    }
  }
}
