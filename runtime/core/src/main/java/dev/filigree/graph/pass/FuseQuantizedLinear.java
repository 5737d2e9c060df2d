package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.weights.IntegerValues;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * Recognises the way ONNX Runtime's dynamic quantisation writes a linear layer: quantise the input
 * over its range, multiply integers, convert, scale by both scales.
 *
 * <pre>
 *   x -&gt; DynamicQuantizeLinear -&gt; MatMulInteger -&gt; Cast -&gt; Mul -&gt; y
 *                 | scale              constant                |
 *                 +-------------------- Mul constant scale ----+
 * </pre>
 */
final class FuseQuantizedLinear implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseQuantizedLinear::fuse);
  }

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (!last.is("Mul")) {
      return Optional.empty();
    }
    return last.inputs().stream()
        .flatMap(value -> view.producer(value, "Cast").stream())
        .flatMap(cast -> product(last, cast, view).stream())
        .findFirst();
  }

  private static Optional<Node> product(Node last, Node cast, GraphView view) {
    Optional<Node> matMul = view.producer(cast.inputs().getFirst(), "MatMulInteger");
    Optional<Node> quantize =
        matMul.flatMap(node -> view.producer(node.inputs().getFirst(), "DynamicQuantizeLinear"));
    boolean matches =
        quantize.isPresent()
            && view.type(quantize.get().inputs().getFirst()).filter(x -> x.rank() >= 2).isPresent()
            && matMul.get().input(2).equals(Optional.of(quantize.get().outputs().get(2)));
    if (!matches) {
      return Optional.empty();
    }
    Optional<Tensor> codes =
        view.tensor(matMul.get().inputs().get(1)).filter(FuseQuantizedLinear::isCodes);
    Optional<Tensor> scales =
        GraphView.other(last, cast.output())
            .flatMap(both -> view.producer(both, "Mul"))
            .flatMap(mul -> GraphView.other(mul, quantize.get().outputs().get(1)))
            .flatMap(view::tensor)
            .filter(tensor -> tensor.dtype() == DType.F32 && tensor.shape().rank() <= 1);
    if (codes.isEmpty() || scales.isEmpty()) {
      return Optional.empty();
    }
    long outputs = codes.get().shape().extent(1);
    if (scales.get().elements() != 1 && scales.get().elements() != outputs) {
      return Optional.empty();
    }
    return zeroPoints(matMul.get(), scales.get(), view)
        .map(
            zeros -> {
              String w = matMul.get().inputs().get(1);
              Constant.Compressed stored =
                  (Constant.Compressed)
                      QuantizedConstants.compressed(codes.get(), true, scales.get().data(), zeros);
              String constant =
                  view.addConstant(w + "_linear", new Constant.Compressed(stored.weights(), false));
              return Linear.node(
                  LayerNames.of(w, "", matMul.get().name()),
                  List.of(quantize.get().inputs().getFirst(), constant, ""),
                  last.output(),
                  true,
                  w,
                  true);
            });
  }

  private static boolean isCodes(Tensor tensor) {
    return tensor.shape().rank() == 2 && (tensor.dtype() == DType.I8 || tensor.dtype() == DType.U8);
  }

  /** Zero points that go with the scales; nothing if there is another number of them. */
  private static Optional<MemorySegment> zeroPoints(Node matMul, Tensor scales, GraphView view) {
    if (matMul.input(3).isEmpty()) {
      return Optional.of(IntegerValues.SYMMETRIC);
    }
    return view.tensor(matMul.input(3).get())
        .filter(zeros -> zeros.elements() == scales.elements())
        .map(Tensor::data);
  }
}
