package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.WeightMatrix;
import dev.filigree.compress.layer.Moments;
import dev.filigree.compress.layer.Outputs;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;
import dev.filigree.weights.ScaledRows;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Compresses the layers of a model in the order data flows through them. Each sees the inputs that
 * the compressed layers before it make, and is fitted to the outputs of the dense model; where a
 * residual is added to its output, it also makes up for what the residual lost so far.
 */
final class CalibratedRun {
  private final Model model;
  private final Graph graph;
  private final Recipe recipe;
  private final Map<String, Work> workOf = new LinkedHashMap<>();
  private final Map<String, Compression.Layer> done = new HashMap<>();
  private final Map<String, Constant> replaced = new HashMap<>();
  private final Map<String, LayerData> seen = new HashMap<>();
  private final Kernels kernels;
  private final SessionOptions options;

  CalibratedRun(Model model, Recipe recipe, List<Work> work, int threads) {
    this.model = model;
    this.graph = model.graph();
    this.recipe = recipe;
    this.options = SessionOptions.defaults().withThreads(threads);
    this.kernels = KernelSets.open("");
    work.forEach(item -> workOf.put(item.matrix().constant(), item));
  }

  Compression run(Calibration calibration, Progress progress) {
    calibration.check(model);
    Streams streams = Streams.bounded(graph, calibration, options, kernels);
    List<Node> nodes = graph.nodes();
    try (WorkerPool pool = new WorkerPool(options.threads(), "filigree-compress")) {
      for (int i = 0; i < nodes.size(); i++) {
        Node node = nodes.get(i);
        for (int input = 0; input < node.inputs().size(); input++) {
          compress(node, input, streams, pool);
        }
        progress.at("compressing", done.size(), workOf.size());
        if (done.size() == workOf.size()) {
          break;
        }
        streams.run(node, replaced);
        streams.forget(i).forEach(seen::remove);
      }
    }
    return new Compression(model, recipe, workOf.keySet().stream().map(done::get).toList());
  }

  /** Compresses the matrix that is an input of a node, if it is one and has not been met before. */
  private void compress(Node node, int input, Streams streams, WorkerPool pool) {
    boolean linear = node.isFused(Linear.TYPE) && input == Linear.WEIGHTS;
    String value = node.inputs().get(input);
    boolean window = node.isFused(Convolution.TYPE) && input == Convolution.WEIGHTS;
    String constant = linear ? Linear.source(node) : window ? Convolution.source(node) : value;
    Work work = workOf.get(constant);
    if (work == null || done.containsKey(constant) || !isUsed(work, linear, window)) {
      return;
    }
    if (!work.changes()) {
      done.put(constant, Compression.Layer.unchanged(work));
      return;
    }
    LayerData data =
        (linear || window) && work.needsCalibration() ? data(node, work, streams, pool) : null;
    Compression.Layer layer = new LayerCompressor(work, data, pool).compress();
    if (layer.bias() != null) {
      String bias = node.inputs().get(biasOf(node));
      layer = layer.withBiasOf(bias);
      replaced.put(bias, new Constant.Plain(Tensor.of(layer.bias(), layer.bias().length)));
    }
    done.put(constant, layer);
    Weights acting =
        work.factors() == null ? layer.weights() : ScaledRows.of(layer.weights(), work.factors());
    boolean transposed = !linear && !window && work.matrix().transposed();
    replaced.put(value, new Constant.Compressed(acting, transposed));
  }

  /** Whether a node uses a matrix as its work takes it to be used. */
  private static boolean isUsed(Work work, boolean linear, boolean window) {
    return switch (work.matrix().use()) {
      case LINEAR -> linear;
      case CONVOLUTION -> window;
      case TABLE -> !linear && !window;
    };
  }

  private static int biasOf(Node node) {
    return node.isFused(Convolution.TYPE) ? Convolution.BIAS : Linear.BIAS;
  }

  private static int residualOf(Node node) {
    return node.isFused(Convolution.TYPE) ? Convolution.RESIDUAL : Linear.RESIDUAL;
  }

  private LayerData data(Node node, Work work, Streams streams, WorkerPool pool) {
    WeightMatrix matrix = work.matrix();
    String input = node.inputs().getFirst();
    int inputs = matrix.weights().columns();
    // a window makes its own of what it shares with others
    String key = node.isFused(Convolution.TYPE) ? node.output() : input;
    LayerData shared = seen.get(key);
    if (shared == null || work.needsProducts() && !shared.moments().isFull()) {
      Moments moments = new Moments(inputs, work.needsProducts(), kernels, pool);
      for (Tensor x : streams.compressed(input)) {
        float[] tokens = Tokens.in(node, x);
        moments.add(tokens, tokens.length / inputs);
      }
      check(matrix, moments);
      shared = new LayerData(moments, new HashMap<>(), null, null);
      seen.put(key, shared);
    }
    float[] bias = bias(node);
    if (!work.needsTargets()) {
      return new LayerData(shared.moments(), shared.surgeons(), bias, null);
    }
    int outputs = matrix.weights().rows();
    Outputs wanted = new Outputs(outputs, inputs, kernels, pool);
    Tensor[] targets = targets(node, streams);
    for (int b = 0; b < targets.length; b++) {
      Tensor x = streams.compressed(input)[b];
      float[] tokens = Tokens.in(node, x);
      wanted.add(Tokens.out(node, x, targets[b]), tokens, tokens.length / inputs);
    }
    return new LayerData(shared.moments(), shared.surgeons(), bias, wanted);
  }

  private static void check(WeightMatrix matrix, Moments moments) {
    if (moments.tokens() < 2) {
      throw new InputException(
          "layer " + matrix.name() + " saw " + moments.tokens() + " calibration tokens",
          "pass more calibration samples; some thousand tokens are the least that helps");
    }
    double energy = 0;
    for (int i = 0; i < moments.inputs(); i++) {
      energy += moments.meanSquare(i);
    }
    if (!Double.isFinite(energy)) {
      throw new InputException(
          "layer " + matrix.name() + " has inputs that are not finite",
          "check the calibration samples and the model's weights");
    }
  }

  /**
   * The layer's bias as the model has it, if it can be changed: a vector of its own that no other
   * node reads.
   */
  private float[] bias(Node node) {
    if (node.input(biasOf(node)).isEmpty()) {
      return null;
    }
    String name = node.inputs().get(biasOf(node));
    boolean isOwn =
        graph.consumers().get(name).size() == 1
            && model.constants().get(name) instanceof Constant.Plain(Tensor tensor)
            && tensor.dtype() == DType.F32
            && tensor.shape().equals(Shape.of(tensor.elements()));
    return isOwn ? graph.constants().get(name).toTensor().toFloats() : null;
  }

  /**
   * What the layer should make before its activation: the dense layer's output, with the dense
   * residual, without the residual of the compressed model, which is added to it, and without a
   * bias that cannot change.
   */
  private Tensor[] targets(Node node, Streams streams) {
    List<String> inputs = new ArrayList<>(node.inputs());
    if (node.input(biasOf(node)).isPresent() && bias(node) == null) {
      // a bias that stays as it is must not be fitted by the weights
      inputs.set(biasOf(node), "");
    }
    Node product =
        node.isFused(Convolution.TYPE)
            ? Convolution.extended(node, inputs, node.output(), Activation.NONE)
            : Linear.extended(node, node.name(), inputs, node.output(), Activation.NONE);
    Tensor[] targets = streams.runDense(product);
    if (node.input(residualOf(node)).isEmpty()) {
      return targets;
    }
    Tensor[] residuals = streams.compressed(node.inputs().get(residualOf(node)));
    for (int b = 0; b < targets.length; b++) {
      float[] target = targets[b].toFloats();
      float[] residual = residuals[b].toFloats();
      for (int i = 0; i < target.length; i++) {
        target[i] -= residual[i];
      }
      targets[b] = Tensor.of(DType.F32, targets[b].shape(), MemorySegment.ofArray(target));
    }
    return targets;
  }
}
