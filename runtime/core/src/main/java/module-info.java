/**
 * Runs compressed neural networks: tensors, graph, formats, weights, planner, sessions, reference
 * kernels.
 */
module dev.filigree.core {
  requires tools.jackson.core;

  exports dev.filigree;
  exports dev.filigree.format;
  exports dev.filigree.format.onnx;
  exports dev.filigree.format.container;
  exports dev.filigree.format.safetensors;
  exports dev.filigree.graph;
  exports dev.filigree.graph.pass;
  exports dev.filigree.kernel;
  exports dev.filigree.plan;
  exports dev.filigree.spi;
  exports dev.filigree.weights;

  uses dev.filigree.spi.DeviceProvider;
  uses dev.filigree.spi.KernelProvider;
}
