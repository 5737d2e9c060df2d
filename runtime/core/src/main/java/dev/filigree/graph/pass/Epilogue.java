package dev.filigree.graph.pass;

import dev.filigree.graph.Node;
import dev.filigree.kernel.Activation;
import java.util.Map;
import java.util.Optional;

/** Which nodes apply a function that a layer can apply to its own result. */
final class Epilogue {
  private static final Map<String, Activation> ONNX =
      Map.of(
          "Relu", Activation.RELU,
          "Tanh", Activation.TANH,
          "Sigmoid", Activation.SIGMOID,
          "HardSwish", Activation.HARD_SWISH);

  private static final Map<String, Activation> FUSED =
      Map.of(
          FuseGelu.TYPE, Activation.GELU,
          FuseGelu.BY_TANH, Activation.GELU_TANH,
          FuseSilu.TYPE, Activation.SILU);

  private Epilogue() {}

  /** The function that a node applies to each element of its only input. */
  static Optional<Activation> activation(Node node) {
    return Optional.ofNullable(
        switch (node.domain()) {
          case Node.ONNX -> ONNX.get(node.type());
          case Node.FUSED -> FUSED.get(node.type());
          default -> null;
        });
  }
}
