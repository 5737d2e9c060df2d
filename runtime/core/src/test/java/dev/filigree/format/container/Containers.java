package dev.filigree.format.container;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.format.onnx.OnnxModels;
import dev.filigree.format.onnx.OnnxReader;
import dev.filigree.testing.EncodedSamples;
import dev.filigree.testing.Samples;
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
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A model for containers: layers in every format and every encoding, and constants that stay plain.
 *
 * @param layers by the name of their constant
 * @param transposed of these, the ones that the graph has as {@code [in, out]}
 * @param plain the other constants
 */
record Containers(
    Map<String, Weights> layers, Map<String, Boolean> transposed, Map<String, Tensor> plain) {
  /** A model with several layers of random formats, and plain tensors of every type. */
  static Containers random(Samples samples) {
    Map<String, Weights> layers = new LinkedHashMap<>();
    Map<String, Boolean> transposed = new LinkedHashMap<>();
    for (int i = samples.between(1, 6); i > 0; i--) {
      String name = "layer." + i;
      layers.put(name, weights(samples));
      transposed.put(name, samples.chance(0.5));
    }
    Map<String, Tensor> plain = new LinkedHashMap<>();
    for (DType dtype : DType.values()) {
      // both those that go into the file on their own and those that stay in the graph
      for (int elements : new int[] {0, 3, 300}) {
        Shape shape = Shape.of(elements);
        byte[] bytes = samples.bytes(elements * dtype.bytes());
        plain.put(
            "plain." + dtype + "." + elements,
            Tensor.of(dtype, shape, MemorySegment.ofArray(bytes)));
      }
    }
    return new Containers(layers, transposed, plain);
  }

  private static Weights weights(Samples samples) {
    int rows = samples.between(1, 12);
    int columns = samples.between(1, 25);
    EncodedSamples any = EncodedSamples.any(samples, rows, columns);
    EncodedSamples shared = EncodedSamples.shared(samples, rows, columns);
    return switch (samples.between(0, 2)) {
      case 0 ->
          Sparse24.pack(
              Dense.of(rows, columns, any.values()), samples.mask24(rows, columns), any.encoder());
      case 1 ->
          SparseCsr.pack(
              Dense.of(rows, columns, shared.values()),
              samples.mask(rows, columns, 0.3),
              shared.encoder());
      default ->
          switch (any.encoder().encode(any.values(), rows, columns)) {
            case FloatValues floats ->
                new Dense(Tensor.of(floats.dtype(), Shape.of(rows, columns), floats.data()));
            case IntegerValues integers -> new Quantized(rows, columns, integers);
            case PackedIntegers packed -> new Packed(rows, columns, varied(samples, packed));
            case CodeValues codes -> new Codebook(rows, columns, codes);
          };
    };
  }

  /** Packed integers with zero points or an order of groups of their own, or as they are. */
  private static PackedIntegers varied(Samples samples, PackedIntegers packed) {
    int scales = (int) (packed.scales().byteSize() / packed.scaleType().bytes());
    int[] groupOf = new int[packed.perRow()];
    for (int i = 0; i < groupOf.length; i++) {
      groupOf[i] = samples.between(0, packed.groupsPerRow() - 1);
    }
    return new PackedIntegers(
        packed.bits(),
        packed.perRow(),
        packed.group(),
        packed.words(),
        packed.scaleType(),
        packed.scales(),
        samples.chance(0.5) ? PackedIntegers.NONE : MemorySegment.ofArray(samples.bytes(scales)),
        samples.chance(0.5) ? PackedIntegers.NONE : MemorySegment.ofArray(groupOf));
  }

  /** The ONNX model before compression, with zeros for weights. */
  byte[] onnx() {
    Map<String, Tensor> initializers = new LinkedHashMap<>(plain);
    layers.forEach(
        (name, weights) ->
            initializers.put(
                name,
                transposed.get(name)
                    ? Tensor.zeros(DType.F32, Shape.of(weights.columns(), weights.rows()))
                    : Tensor.zeros(DType.F32, Shape.of(weights.rows(), weights.columns()))));
    return OnnxModels.of(initializers);
  }

  /** A writer of the compressed model. */
  ContainerWriter writer() {
    MemorySegment onnx = MemorySegment.ofArray(onnx());
    ContainerWriter writer =
        new ContainerWriter(
            "test.onnx",
            onnx,
            OnnxReader.read("test.onnx", onnx, OnnxReader.complete("test.onnx")));
    layers.forEach(
        (name, weights) -> writer.replace(name, name + ".module", weights, transposed.get(name)));
    return writer;
  }
}
