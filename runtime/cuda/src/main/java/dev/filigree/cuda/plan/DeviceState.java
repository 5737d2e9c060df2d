package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.KernelLibrary;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Weights;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What all plans of a session share on the device: its context, the kernels, the weights and
 * constants. Not thread-safe but for the kernels.
 */
final class DeviceState implements AutoCloseable {
  private final CudaContext context;
  private final KernelLibrary library;
  private final OperationKernels kernels;
  private final LinearDispatch dispatch;
  private final DeviceConstants constants;
  private final Map<String, Weights> matrices = new HashMap<>();

  /** Takes over the context. */
  DeviceState(CudaContext context) {
    KernelManifest manifest = KernelManifest.load();
    this.context = context;
    this.library = new KernelLibrary(context);
    this.kernels = new OperationKernels(library, manifest);
    this.dispatch = new LinearDispatch(library, manifest);
    this.constants = new DeviceConstants(context);
  }

  CudaContext context() {
    return context;
  }

  OperationKernels kernels() {
    return kernels;
  }

  LinearDispatch dispatch() {
    return dispatch;
  }

  DeviceConstants constants() {
    return constants;
  }

  /** A constant matrix as weights, the same object each time. */
  Optional<Weights> matrix(Graph graph, String value) {
    Weights known = matrices.get(value);
    if (known == null) {
      known =
          switch (graph.constants().get(value)) {
            case Constant.Compressed(Weights weights, boolean transposed) ->
                transposed ? null : weights;
            case Constant.Plain plain ->
                plain.tensor().shape().rank() == 2 && plain.tensor().dtype().isFloating()
                    ? new Dense(plain.tensor())
                    : null;
            case null -> null;
          };
      if (known != null) {
        matrices.put(value, known);
      }
    }
    return Optional.ofNullable(known);
  }

  /** Ends everything, also after a failure that the context did not survive. */
  @Override
  public void close() {
    try (context) {
      dispatch.close();
      constants.close();
      library.close();
    }
  }
}
