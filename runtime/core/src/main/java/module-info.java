/**
 * Runs compressed neural networks: tensors, graph, formats, weights, planner, sessions, reference
 * kernels.
 */
module dev.filigree.core {
  requires jdk.jfr;
  requires tools.jackson.core;
  requires tools.jackson.databind;

  exports dev.filigree;
  exports dev.filigree.format;
  exports dev.filigree.format.checkpoint;
  exports dev.filigree.format.onnx;
  exports dev.filigree.format.container;
  exports dev.filigree.format.entropy;
  exports dev.filigree.format.safetensors;
  exports dev.filigree.graph;
  exports dev.filigree.graph.pass;
  exports dev.filigree.kernel;
  exports dev.filigree.kernel.fused;
  exports dev.filigree.plan;
  exports dev.filigree.serving;
  exports dev.filigree.spi;
  exports dev.filigree.weights;

  uses dev.filigree.spi.DeviceProvider;
  uses dev.filigree.spi.KernelProvider;
}
