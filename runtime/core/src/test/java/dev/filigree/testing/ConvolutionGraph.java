package dev.filigree.testing;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import java.util.List;
import java.util.Map;

/**
 * A convolution of 3 x 3 from x {@code [1, channels, side, side]} to y of the same shape.
 *
 * @param channels of input and output
 * @param side pixels of a row and of a column
 */
public record ConvolutionGraph(int channels, int side) {
  /** The graph, with random weights. */
  public Graph graph(Samples samples) {
    Tensor weights = Tensor.of(samples.normal(9 * channels * channels), channels, channels, 3, 3);
    return new GraphBuilder(13)
        .input("x", DType.F32, 1, channels, side, side)
        .constant("w", weights)
        .node("Conv", Map.of("pads", List.of(1, 1, 1, 1)), List.of("y"), "x", "w")
        .output("y")
        .build();
  }

  /** Random pixels. */
  public Tensor pixels(Samples samples) {
    return Tensor.of(samples.normal(channels * side * side), 1, channels, side, side);
  }
}
