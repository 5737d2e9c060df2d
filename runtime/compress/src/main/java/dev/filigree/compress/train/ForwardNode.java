package dev.filigree.compress.train;

import dev.filigree.Tensor;
import dev.filigree.compress.algebra.MatrixProduct;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.Kernels;
import java.util.Map;

/**
 * One node of a graph run forward by the operations of training: nothing is planned for a shape, so
 * that batches of many lengths cost no more than those of one. Not safe to share.
 */
public final class ForwardNode implements AutoCloseable {
  private final Node node;
  private final MatrixProduct products;
  private final Operation operation;

  /**
   * A node.
   *
   * @param constants of the node's inputs, by name
   */
  public ForwardNode(Node node, Map<String, Constant> constants, Kernels kernels, WorkerPool pool) {
    this.node = node;
    this.products = new MatrixProduct(kernels, pool);
    this.operation =
        new Operations(products, name -> Network.of(name, constants.get(name)), constants).of(node);
  }

  /** Whether a node can be run, its inputs that are no constants being of these shapes. */
  public static boolean canRun(Node node, Map<String, Tensor> inputs) {
    if (node.isFused(Attention.TYPE)) {
      Tensor mask = inputs.get(node.inputs().getLast());
      boolean masks = node.input(Attention.MASK).isPresent() && (mask == null || !isZero(mask));
      return !masks && AttentionOperation.knows(Attention.form(node));
    }
    Tensor x = inputs.get(node.inputs().getFirst());
    boolean isLinear =
        node.isFused(Linear.TYPE)
            && !Linear.isDynamic(node)
            && Curve.isKnown(Linear.activation(node));
    boolean isNorm = node.is("LayerNormalization") && node.intAttribute("axis", -1) == -1;
    return (isLinear || isNorm)
        && x != null
        && (x.shape().rank() == 2 || x.shape().rank() == 3)
        && x.elements() > 0;
  }

  private static boolean isZero(Tensor mask) {
    for (long i = 0; i < mask.elements(); i++) {
      if (mask.getDouble(i) != 0) {
        return false;
      }
    }
    return true;
  }

  /** What the node makes of its inputs that are no constants. */
  public Tensor run(Map<String, Tensor> inputs) {
    Signal[] signals = new Signal[node.inputs().size()];
    for (int i = 0; i < signals.length; i++) {
      Tensor tensor = inputs.get(node.inputs().get(i));
      boolean isMask = node.isFused(Attention.TYPE) && i == Attention.MASK;
      signals[i] = tensor == null || isMask ? null : Signal.of(tensor);
    }
    return operation.forward(signals, false).output().toTensor();
  }

  @Override
  public void close() {
    products.close();
  }
}
