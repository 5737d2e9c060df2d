package dev.filigree.kernel.image;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.List;

/**
 * Moves blocks of pixels into channels or back.
 *
 * @param toDepth whether pixels become channels
 */
public record SpaceDepth(boolean toDepth) implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    long block = node.intAttribute("blocksize", 0);
    boolean divides =
        x.rank() == 4
            && block >= 1
            && block <= Short.MAX_VALUE
            && (toDepth
                ? divides(block, x.dim(2)) && divides(block, x.dim(3))
                : divides(block * block, x.dim(1)));
    if (!divides) {
      throw node.problem(
          "moves blocks of " + block + " of " + x,
          "pass [batch, channels, height, width] that the blocks divide");
    }
    Dim size = Dim.of(block);
    return List.of(
        ValueType.of(
            x.dtype(),
            toDepth
                ? List.of(
                    x.dim(0),
                    x.dim(1).times(Dim.of(block * block)),
                    quotient(x.dim(2), size),
                    quotient(x.dim(3), size))
                : List.of(
                    x.dim(0),
                    quotient(x.dim(1), Dim.of(block * block)),
                    x.dim(2).times(size),
                    x.dim(3).times(size))));
  }

  private static boolean divides(long block, Dim dim) {
    return !dim.isKnown() || dim.value() % block == 0;
  }

  private static Dim quotient(Dim dim, Dim by) {
    return dim.dividedBy(by).orElseGet(() -> Dim.symbol("(" + dim + " / " + by + ")"));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    long block = binding.node().intAttribute("blocksize", 1);
    Shape deep = (toDepth ? y : x).shape();
    Shape wide = (toDepth ? x : y).shape();
    long channels = wide.extent(1);
    boolean columnFirst = binding.node().textAttribute("mode", "DCR").equals("CRD");
    long pixels = deep.extent(2) * deep.extent(3);
    // the wide tensor's axes [n, c, h, block, w, block] as steps in the deep one
    long[] extents = {wide.extent(0), channels, deep.extent(2), block, deep.extent(3), block};
    long[] inDeep = {
      deep.extent(1) * pixels,
      columnFirst ? block * block * pixels : pixels,
      deep.extent(3),
      (columnFirst ? block : block * channels) * pixels,
      1,
      (columnFirst ? 1 : channels) * pixels
    };
    Strided walk = new Strided(Shape.of(extents), new long[][] {inDeep}, new long[1]);
    return () ->
        walk.forEach((i, at) -> Elements.copy(x, toDepth ? i : at[0], y, toDepth ? at[0] : i, 1));
  }
}
