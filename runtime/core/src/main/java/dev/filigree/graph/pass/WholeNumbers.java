package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import java.util.Set;

/**
 * Writes products of 8-bit integers as products of whole f32 numbers, which the kernels for floats
 * compute fast and, as long as no sum passes 2^24, exactly: {@link ExactWeights} proves that from
 * the weights. Between products codes stay whole f32 numbers less their zero points, so that
 * neither padding nor the products need zero points, and become bytes only for who reads bytes.
 *
 * <pre>
 *   codes -&gt; QLinearConv -&gt; codes                 codes -&gt; DequantizeLinear by 1 -&gt; Convolution
 *                                     becomes       -&gt; Requantize -&gt; QuantizeLinear by 1 -&gt; codes
 * </pre>
 *
 * <p>A DequantizeLinear after a QuantizeLinear of the same zero point is left out.
 */
final class WholeNumbers implements Pass {
  private static final Set<String> QUANTISED =
      Set.of(
          "ConvInteger",
          "MatMulInteger",
          "QLinearConv",
          "QLinearMatMul",
          "QuantizeLinear",
          "DequantizeLinear");

  @Override
  public Graph apply(Graph graph) {
    if (graph.nodes().stream().noneMatch(WholeNumbers::isQuantised)) {
      return graph;
    }
    Graph rewritten = new CodeGraph(graph).rewritten();
    return new RemoveDeadCode().apply(new RemoveIdentities().apply(rewritten));
  }

  private static boolean isQuantised(Node node) {
    return node.domain().equals(Node.ONNX) && QUANTISED.contains(node.type());
  }
}
