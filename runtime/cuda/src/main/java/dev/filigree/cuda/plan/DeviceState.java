package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.Cublas;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.Cusparse;
import dev.filigree.cuda.driver.KernelLibrary;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * What all plans of a session share on the device: its context, the kernels, the weights and
 * constants. Not thread-safe but for the kernels.
 */
final class DeviceState implements AutoCloseable {
  private final CudaContext context;
  private final KernelLibrary library;
  private final OperationKernels kernels;
  private final LinearDispatch dispatch;
  private final ConvolutionDispatch convolutions;
  private final DeviceConstants constants;
  private final LayerTimes times = new LayerTimes();
  private final Map<String, Weights> matrices = new HashMap<>();

  private Optional<Cublas> cublas;
  private Optional<Cusparse> cusparse;

  /**
   * Takes over the context.
   *
   * @param wanted how the names of the kernels of linear layers begin, or of those of convolutions;
   *     empty for any
   */
  DeviceState(CudaContext context, String wanted) {
    KernelManifest manifest = KernelManifest.load();
    this.context = context;
    this.library = new KernelLibrary(context);
    this.kernels = new OperationKernels(library, manifest);
    boolean ofConvolutions = wanted.startsWith(ConvolutionDispatch.OPERATION);
    this.dispatch = new LinearDispatch(this, manifest, ofConvolutions ? "" : wanted);
    this.convolutions = new ConvolutionDispatch(this, manifest, ofConvolutions ? wanted : "");
    this.constants = new DeviceConstants(context);
  }

  CudaContext context() {
    return context;
  }

  KernelLibrary library() {
    return library;
  }

  /** cuBLAS, looked for when it is first asked for. */
  synchronized Optional<Cublas> cublas() {
    if (cublas == null) {
      cublas = Cublas.open(context);
    }
    return cublas;
  }

  /** cuSPARSE, looked for when it is first asked for. */
  synchronized Optional<Cusparse> cusparse() {
    if (cusparse == null) {
      cusparse = Cusparse.open(context);
    }
    return cusparse;
  }

  /** NVIDIA's libraries that there are, with their versions, for who keeps measurements of them. */
  String libraries() {
    String dense = cublas().map(library -> "cublas " + library.version()).orElse("no cublas");
    String sparse =
        cusparse().map(library -> "cusparse " + library.version()).orElse("no cusparse");
    return dense + ", " + sparse;
  }

  OperationKernels kernels() {
    return kernels;
  }

  LinearDispatch dispatch() {
    return dispatch;
  }

  ConvolutionDispatch convolutions() {
    return convolutions;
  }

  /** How long the ways to run layers take, as far as that is known. */
  LayerTimes times() {
    return times;
  }

  /** Frees the weights of candidates that no layer of these plans uses. */
  void retain(List<PlannedLayer> layers) {
    List<LinearLayer.Planned> linears = new ArrayList<>();
    List<ConvolutionLayer.Planned> windows = new ArrayList<>();
    for (PlannedLayer layer : layers) {
      switch (layer) {
        case LinearLayer.Planned linear -> linears.add(linear);
        case ConvolutionLayer.Planned window -> windows.add(window);
      }
    }
    dispatch.retain(linears);
    convolutions.retain(windows);
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
            case Constant.Windowed window -> null;
            case null -> null;
          };
      if (known != null) {
        matrices.put(value, known);
      }
    }
    return Optional.ofNullable(known);
  }

  /** Weights made of a constant, the same object each time. */
  Weights rows(String value, Supplier<Weights> maker) {
    return matrices.computeIfAbsent(value, unused -> maker.get());
  }

  /** Ends everything, also after a failure that the context did not survive. */
  @Override
  public void close() {
    try (context) {
      closeLibraries();
      dispatch.close();
      convolutions.close();
      constants.close();
      library.close();
    }
  }

  private synchronized void closeLibraries() {
    if (cublas != null) {
      cublas.ifPresent(Cublas::close);
    }
    if (cusparse != null) {
      cusparse.ifPresent(Cusparse::close);
    }
  }
}
