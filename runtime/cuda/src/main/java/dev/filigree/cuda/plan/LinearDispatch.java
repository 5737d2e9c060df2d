package dev.filigree.cuda.plan;

import dev.filigree.InputException;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Chooses how each linear layer runs and keeps the weights on the device. Candidates are the
 * kernels of the manifest that the device and the weights allow, and NVIDIA's libraries where they
 * are installed; a model of the device discards what cannot be the fastest, measurements decide
 * among the rest, and a dense kernel is always one of them. Not thread-safe.
 */
final class LinearDispatch implements AutoCloseable {
  /** Bytes of a kept weight with its column, in the own form and in cuSPARSE's. */
  private static final double OWN_SPARSE_BYTES = 4;

  private static final double LIBRARY_SPARSE_BYTES = 6;

  private final DeviceState device;
  private final KernelManifest manifest;
  private final LinearModel model;
  private final String wanted;
  private final LaidWeights<LinearLayout> packed = new LaidWeights<>();

  /**
   * A dispatch without measurements.
   *
   * @param wanted how the names of kernels begin that may be chosen; empty for any
   */
  LinearDispatch(DeviceState device, KernelManifest manifest, String wanted) {
    this.device = device;
    this.manifest = manifest;
    this.model = new LinearModel(device.context().properties());
    this.wanted = wanted;
  }

  /**
   * The ways a layer can run, the one predicted to be fastest first.
   *
   * @throws InputException if none of them is what the session asks for
   */
  List<LinearOption> options(LinearLayer layer) {
    List<LinearOption> all = legal(layer);
    all.sort(Comparator.comparingDouble(LinearOption::predictedMicros));
    if (wanted.isEmpty() || all.isEmpty()) {
      return LayerChoice.worthMeasuring(all);
    }
    List<LinearOption> kept =
        all.stream().filter(option -> option.name().startsWith(wanted)).toList();
    if (kept.isEmpty()) {
      throw new InputException(
          "layer "
              + layer.name()
              + " of "
              + layer.weights().format()
              + " weights with "
              + layer.tokens()
              + " tokens has no kernel "
              + wanted,
          "choose the start of one of "
              + all.stream().map(LinearOption::name).distinct().toList()
              + ", or none");
    }
    return kept;
  }

  /** Those that plans may use: activations are f16, or i8 where the layer's may be rounded. */
  private List<LinearOption> legal(LinearLayer layer) {
    List<LinearOption> all = all(layer);
    all.removeIf(
        option ->
            option.activation() == ActivationType.BF16
                || option.activation() == ActivationType.I8 && !layer.quantizable());
    return all;
  }

  /** Every way that the device, the weights and the number of tokens allow. */
  List<LinearOption> all(LinearLayer layer) {
    Weights weights = layer.weights();
    List<LinearOption> all = new ArrayList<>();
    for (KernelEntry kernel : manifest.of("linear")) {
      if (model.isRunnable(kernel, layer.tokens())) {
        if (kernel.weights().orElseThrow().structure() == WeightsForm.Structure.CSR) {
          addSparse(kernel, layer, all);
        } else {
          addTensorCore(kernel, layer, all);
        }
      }
    }
    int rows = weights.rows();
    int columns = weights.columns();
    if (device.cublas().isPresent()) {
      double micros =
          model.cublasMicros(rows, columns, layer.tokens())
              + model.epilogueMicros(rows, layer.tokens());
      all.add(new CublasOption(layer.tokens(), rows, micros));
    }
    if (weights instanceof SparseCsr sparse && device.cusparse().isPresent()) {
      double micros =
          model.cusparseMicros(
                  sparse.stored(),
                  rows,
                  columns,
                  layer.tokens(),
                  LIBRARY_SPARSE_BYTES * sparse.stored())
              + model.epilogueMicros(rows, layer.tokens());
      all.add(new CusparseOption(layer.tokens(), rows, columns, sparse.stored(), micros));
    }
    return all;
  }

  private void addTensorCore(KernelEntry kernel, LinearLayer layer, List<LinearOption> into) {
    Weights weights = layer.weights();
    WeightsForm form = kernel.weights().orElseThrow();
    if (!PackedWeights.forms(weights, kernel.activation().orElseThrow()).contains(form)) {
      return;
    }
    OptionalInt ordered = PackedWeights.orderedColumns(weights, form);
    int columns = ordered.orElse(weights.columns());
    TensorCoreOption.Gathered gathered =
        ordered.isEmpty() ? null : new TensorCoreOption.Gathered(layer.tokens(), columns);
    double extra = gathered == null ? 0 : model.gatherMicros(columns, layer.tokens());
    double bytes =
        weightBytes(form, (double) weights.rows() * columns)
            + PackedWeights.tableBytes(weights, form);
    LinearGrid whole = LinearGrid.of(kernel, weights.rows(), columns, layer.tokens());
    for (LinearGrid grid : whole.ways(model.resident(kernel))) {
      double micros = extra + model.micros(kernel, grid, weights.rows(), layer.tokens(), bytes);
      into.add(new TensorCoreOption(kernel, grid, gathered, micros));
    }
  }

  private void addSparse(KernelEntry kernel, LinearLayer layer, List<LinearOption> into) {
    if (!(layer.weights() instanceof SparseCsr sparse)) {
      return;
    }
    into.add(
        new CsrOption(
            kernel,
            model.sparseMicros(
                kernel,
                sparse.stored(),
                sparse.rows(),
                sparse.columns(),
                layer.tokens(),
                OWN_SPARSE_BYTES * sparse.stored())));
  }

  /** Bytes of so many weights in a form, zeros included. */
  static double weightBytes(WeightsForm form, double dense) {
    boolean sparse = form.structure() == WeightsForm.Structure.SPARSE24;
    double valueBytes =
        switch (form.values()) {
          case F16, BF16 -> 2;
          case I8, I8_GROUPS, CODEBOOK256 -> 1;
          case I4, CODEBOOK16 -> 0.5;
        };
    // a nibble of metadata for two stored values
    return sparse ? dense / 2 * valueBytes + dense / 8 : dense * valueBytes;
  }

  /** The choice for a layer as things are known now. */
  LayerChoice<LinearOption> choose(LinearLayer layer) {
    return LayerChoice.among(options(layer), device.times(), layer.kind());
  }

  /** Why a layer runs as it does. */
  String reason(LinearLayer layer, LayerChoice<LinearOption> choice) {
    boolean gathered = choice.option() instanceof TensorCoreOption own && own.gathered() != null;
    return choice.option().weights()
        + " weights"
        + (gathered ? ", inputs put in the order of their groups" : "")
        + (wanted.isEmpty() ? choice.ratio() : "; asked for by the session");
  }

  /**
   * The weights of a layer as an option takes them, copied to the device now if they are not yet.
   */
  DeviceWeights weights(LinearLayer layer, LinearOption option) {
    return packed.of(
        layer.weights(),
        option.layout(),
        option.name(),
        () -> option.layout().load(device, layer.name(), layer.weights()));
  }

  /** Frees weights that no layer of these plans uses: those of candidates that were not taken. */
  void retain(Collection<LinearLayer.Planned> layers) {
    Map<Weights, Set<LinearLayout>> used = new IdentityHashMap<>();
    for (LinearLayer.Planned layer : layers) {
      used.computeIfAbsent(layer.layer().weights(), unused -> new HashSet<>())
          .add(layer.option().layout());
    }
    packed.retain((weights, layout) -> used.getOrDefault(weights, Set.of()).contains(layout));
  }

  /** Bytes of all weights on the device. */
  long bytes() {
    return packed.bytes();
  }

  @Override
  public void close() {
    packed.close();
  }
}
