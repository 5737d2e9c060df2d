package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;

/**
 * Random numbers, normal or uniform. With a seed they are the same in every session, though not
 * those of other runtimes, whose generators differ; without one they are new ones every time.
 *
 * @param isNormal whether normal by {@code mean} and {@code scale}, or uniform between {@code low}
 *     and {@code high}
 * @param isLike whether of the input's shape, or of that in an attribute
 */
public record RandomNumbers(boolean isNormal, boolean isLike) implements Operator {
  @Override
  public int leastInputs() {
    return isLike ? 1 : 0;
  }

  @Override
  public boolean isRandom() {
    return true;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    DType given = isLike ? inputs.required(0).dtype() : DType.F32;
    DType dtype =
        node.attributes().containsKey("dtype")
            ? OnnxTypes.dtype(
                node.intAttribute("dtype", 1),
                type -> node.unsupported("makes " + type, "use a float type"))
            : given;
    if (!dtype.isFloating()) {
      throw node.problem("makes random numbers of type " + dtype, "use a float type");
    }
    return List.of(ValueType.of(dtype, isLike ? inputs.required(0).dims() : shape(node)));
  }

  private static List<Dim> shape(Node node) {
    List<Long> shape =
        node.intsAttribute("shape")
            .orElseThrow(() -> node.problem("has no shape", "export the graph again"));
    return shape.stream()
        .map(
            extent -> {
              if (extent < 0) {
                throw node.problem("makes an axis of " + extent, "use 0 or more elements");
              }
              return Dim.of(extent);
            })
        .toList();
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor y = binding.output();
    SplittableRandom random = generator(node);
    DoubleSupplier next = isNormal ? normal(node, random) : uniform(node, random);
    return () -> {
      for (long i = 0; i < y.elements(); i++) {
        y.setDouble(i, next.getAsDouble());
      }
    };
  }

  /** Of the node's seed, or of a new one. */
  static SplittableRandom generator(Node node) {
    return node.attributes().containsKey("seed")
        ? new SplittableRandom(Float.floatToIntBits(node.floatAttribute("seed", 0)))
        : new SplittableRandom();
  }

  private static DoubleSupplier normal(Node node, SplittableRandom random) {
    double mean = node.floatAttribute("mean", 0);
    double scale = node.floatAttribute("scale", 1);
    return () -> mean + scale * random.nextGaussian();
  }

  private static DoubleSupplier uniform(Node node, SplittableRandom random) {
    double low = node.floatAttribute("low", 0);
    double width = node.floatAttribute("high", 1) - low;
    return () -> low + width * random.nextDouble();
  }
}
