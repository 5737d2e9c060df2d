package dev.filigree.cuda.plan;

import dev.filigree.InputException;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.plan.LayerPlan;
import dev.filigree.plan.Recorded;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Chooses how each linear layer runs and keeps the weights on the device. Candidates are the
 * kernels of the manifest that the device and the weights allow, and NVIDIA's libraries where they
 * are installed; a model of the device discards what cannot be the fastest, measurements decide
 * among the rest, and a dense kernel is always one of them. Not thread-safe.
 */
final class LinearDispatch implements AutoCloseable {
  /** Candidates that are measured. */
  private static final int MOST_CANDIDATES = 6;

  /** How much slower than the best a candidate may be predicted to be measured at all. */
  private static final double WORTH_MEASURING = 2;

  /** How much faster than the predicted best a kernel must be measured to be taken. */
  private static final double MARGIN = 0.97;

  /** Bytes of a kept weight with its column, in the own form and in cuSPARSE's. */
  private static final double OWN_SPARSE_BYTES = 4;

  private static final double LIBRARY_SPARSE_BYTES = 6;

  /** Instructions of a product's own among all that kernels of unstructured weights spend. */
  private static final double OWN_SPARSE_SHARE = 0.3;

  private static final double LIBRARY_SPARSE_SHARE = 0.2;

  private final DeviceState device;
  private final KernelManifest manifest;
  private final LinearModel model;
  private final String wanted;
  private final Map<Weights, Map<LinearLayout, DeviceWeights>> packed = new IdentityHashMap<>();
  private final LinearTimes times = new LinearTimes();

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
   * How a layer runs and why.
   *
   * @param option what runs
   */
  record Choice(LinearOption option, String reason, List<LayerPlan.Candidate> candidates) {}

  /** What has been measured. */
  LinearTimes times() {
    return times;
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
      return worthMeasuring(all);
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
          model.sparseMicros(
                  sparse.stored(),
                  rows,
                  columns,
                  layer.tokens(),
                  LIBRARY_SPARSE_BYTES * sparse.stored(),
                  LIBRARY_SPARSE_SHARE)
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
    double bytes = weightBytes(form, (double) weights.rows() * weights.columns());
    LinearGrid whole = LinearGrid.of(kernel, weights.rows(), weights.columns(), layer.tokens());
    into.add(
        new TensorCoreOption(
            kernel, whole, model.micros(kernel, whole, weights.rows(), layer.tokens(), bytes)));
    LinearGrid split = whole.by(model.resident(kernel));
    if (whole.blocks() < split.blocks() && split.isShared()) {
      into.add(
          new TensorCoreOption(
              kernel, split, model.micros(kernel, split, weights.rows(), layer.tokens(), bytes)));
    }
  }

  private void addSparse(KernelEntry kernel, LinearLayer layer, List<LinearOption> into) {
    if (!(layer.weights() instanceof SparseCsr sparse)) {
      return;
    }
    // a block has a tile of tokens, and every tile of them streams the weights once
    int passes = Math.ceilDiv(layer.tokens(), kernel.tile().orElseThrow().tokens());
    into.add(
        new CsrOption(
            kernel,
            model.sparseMicros(
                sparse.stored(),
                sparse.rows(),
                sparse.columns(),
                layer.tokens(),
                OWN_SPARSE_BYTES * sparse.stored() * passes,
                OWN_SPARSE_SHARE)));
  }

  private static List<LinearOption> worthMeasuring(List<LinearOption> all) {
    List<LinearOption> kept = new ArrayList<>();
    for (LinearOption option : all) {
      boolean promising =
          option.predictedMicros() <= WORTH_MEASURING * all.getFirst().predictedMicros();
      boolean firstDense = option.isDense() && kept.stream().noneMatch(LinearOption::isDense);
      if (promising && kept.size() < MOST_CANDIDATES || firstDense) {
        kept.add(option);
      }
    }
    return kept;
  }

  /** Bytes of so many weights in a form, zeros included. */
  static double weightBytes(WeightsForm form, double dense) {
    boolean sparse = form.structure() == WeightsForm.Structure.SPARSE24;
    double valueBytes =
        switch (form.values()) {
          case F16, BF16 -> 2;
          case I8 -> 1;
          case I4, CODEBOOK16 -> 0.5;
        };
    // a nibble of metadata for two stored values
    return sparse ? dense / 2 * valueBytes + dense / 8 : dense * valueBytes;
  }

  /** The choice for a layer as things are known now. */
  Choice choose(LinearLayer layer) {
    List<LinearOption> options = options(layer);
    Map<String, Double> micros = times.of(layer.kind());
    LinearOption best = options.getFirst();
    double bestMicros = micros.getOrDefault(best.name(), Double.POSITIVE_INFINITY) * MARGIN;
    List<LayerPlan.Candidate> candidates = new ArrayList<>();
    for (LinearOption option : options) {
      double own = micros.getOrDefault(option.name(), Double.NaN);
      candidates.add(
          times.areProjected()
              ? LayerPlan.Candidate.projected(option.name(), option.predictedMicros(), own)
              : new LayerPlan.Candidate(option.name(), option.predictedMicros(), own));
      if (own < bestMicros) {
        best = option;
        bestMicros = own;
      }
    }
    return new Choice(best, reason(layer, best, options, micros), candidates);
  }

  private String reason(
      LinearLayer layer,
      LinearOption best,
      List<LinearOption> options,
      Map<String, Double> micros) {
    StringBuilder reason = new StringBuilder(best.weights()).append(" weights");
    PackedWeights.obstacle(layer.weights())
        .ifPresent(why -> reason.append(", unpacked: the file has ").append(why));
    if (!wanted.isEmpty()) {
      return reason.append("; asked for by the session").toString();
    }
    for (LinearOption option : options) {
      if (option != best && option.isDense()) {
        boolean known = micros.containsKey(best.name()) && micros.containsKey(option.name());
        double ratio =
            known
                ? micros.get(option.name()) / micros.get(best.name())
                : option.predictedMicros() / best.predictedMicros();
        String how = !known ? "predicted" : times.areProjected() ? "projected" : "measured";
        reason.append(String.format(Locale.ROOT, "; %s %.2fx of %s", how, ratio, option.name()));
        break;
      }
    }
    return reason.toString();
  }

  /**
   * The weights of a layer as an option takes them, copied to the device now if they are not yet.
   */
  DeviceWeights weights(LinearLayer layer, LinearOption option) {
    Map<LinearLayout, DeviceWeights> layouts =
        packed.computeIfAbsent(layer.weights(), unused -> new HashMap<>());
    DeviceWeights known = layouts.get(option.layout());
    if (known == null) {
      known =
          Recorded.pack(
              option.name(),
              layer.weights().format(),
              () -> option.layout().load(device, layer.name(), layer.weights()),
              DeviceWeights::bytes);
      layouts.put(option.layout(), known);
    }
    return known;
  }

  /** Frees weights that no layer of these plans uses: those of candidates that were not taken. */
  void retain(List<LinearLayer.Planned> layers) {
    Map<Weights, Set<LinearLayout>> used = new IdentityHashMap<>();
    for (LinearLayer.Planned layer : layers) {
      used.computeIfAbsent(layer.layer().weights(), unused -> new HashSet<>())
          .add(layer.option().layout());
    }
    packed.forEach(
        (weights, layouts) ->
            layouts
                .entrySet()
                .removeIf(
                    entry -> {
                      boolean unused =
                          !used.getOrDefault(weights, Set.of()).contains(entry.getKey());
                      if (unused) {
                        entry.getValue().close();
                      }
                      return unused;
                    }));
  }

  /** Bytes of all weights on the device. */
  long bytes() {
    return packed.values().stream()
        .flatMap(layouts -> layouts.values().stream())
        .mapToLong(DeviceWeights::bytes)
        .sum();
  }

  @Override
  public void close() {
    packed.values().forEach(layouts -> layouts.values().forEach(DeviceWeights::close));
    packed.clear();
  }
}
