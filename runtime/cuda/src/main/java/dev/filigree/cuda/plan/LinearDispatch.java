package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.cuda.driver.KernelLibrary;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.plan.LayerPlan;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Chooses how each linear layer runs and keeps the weights on the device. Candidates are the
 * kernels of the manifest that the device and the weights allow; a model of the device discards
 * what cannot be the fastest, measurements decide among the rest, and a dense kernel is always one
 * of them. Not thread-safe.
 */
final class LinearDispatch implements AutoCloseable {
  /** Candidates that are measured. */
  private static final int MOST_CANDIDATES = 6;

  /** How much slower than the best a candidate may be predicted to be measured at all. */
  private static final double WORTH_MEASURING = 2;

  /** How much faster than the predicted best a kernel must be measured to be taken. */
  private static final double MARGIN = 0.97;

  private record FormKey(WeightsForm form, ActivationType activation) {}

  private final KernelLibrary library;
  private final KernelManifest manifest;
  private final LinearModel model;
  private final Map<Weights, Map<FormKey, DeviceWeights>> packed = new IdentityHashMap<>();
  private final Map<LinearLayer.Kind, Map<String, Double>> measured = new HashMap<>();

  LinearDispatch(KernelLibrary library, KernelManifest manifest) {
    this.library = library;
    this.manifest = manifest;
    this.model = new LinearModel(library.context().properties());
  }

  KernelLibrary library() {
    return library;
  }

  /**
   * The kernel of a layer and why it was taken.
   *
   * @param option what runs
   */
  record Choice(LinearOption option, String reason, List<LayerPlan.Candidate> candidates) {}

  /** The ways a layer can run, the one predicted to be fastest first. */
  List<LinearOption> options(LinearLayer layer) {
    List<LinearOption> all = new ArrayList<>();
    for (KernelEntry kernel : manifest.of("linear")) {
      if (isLegal(kernel, layer)) {
        LinearGrid whole =
            LinearGrid.of(
                kernel, layer.weights().rows(), layer.weights().columns(), layer.tokens());
        all.add(option(kernel, whole, layer));
        LinearGrid split = whole.by(model.resident(kernel));
        if (whole.blocks() < split.blocks() && split.isShared()) {
          all.add(option(kernel, split, layer));
        }
      }
    }
    all.sort(Comparator.comparingDouble(LinearOption::predictedMicros));
    return worthMeasuring(all);
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

  private LinearOption option(KernelEntry kernel, LinearGrid grid, LinearLayer layer) {
    double bytes = weightBytes(kernel.weights().orElseThrow(), layer.weights());
    return new LinearOption(
        kernel,
        grid.blocks(),
        grid.isShared(),
        model.micros(kernel, grid, layer.weights().rows(), layer.tokens(), bytes));
  }

  private static double weightBytes(WeightsForm form, Weights weights) {
    double dense = (double) weights.rows() * weights.columns();
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

  private boolean isLegal(KernelEntry kernel, LinearLayer layer) {
    GpuProperties gpu = library.context().properties();
    ActivationType activation = kernel.activation().orElseThrow();
    return (activation == ActivationType.F16
            || activation == ActivationType.I8 && layer.quantizable())
        && kernel.minimumArchitecture() <= gpu.architecture()
        && kernel.sharedBytes() + kernel.staticSharedBytes() <= gpu.sharedBytesPerBlock()
        && layer.tokens() >= kernel.tokensFrom()
        && layer.tokens() <= kernel.tokensTo()
        && PackedWeights.forms(layer.weights(), activation)
            .contains(kernel.weights().orElseThrow());
  }

  /** The choice for a layer as things are known now. */
  Choice choose(LinearLayer layer) {
    List<LinearOption> options = options(layer);
    Map<String, Double> micros = measured.getOrDefault(layer.kind(), Map.of());
    LinearOption best = options.getFirst();
    double bestMicros = micros.getOrDefault(best.name(), Double.POSITIVE_INFINITY) * MARGIN;
    List<LayerPlan.Candidate> candidates = new ArrayList<>();
    for (LinearOption option : options) {
      double own = micros.getOrDefault(option.name(), Double.NaN);
      candidates.add(new LayerPlan.Candidate(option.name(), option.predictedMicros(), own));
      if (own < bestMicros) {
        best = option;
        bestMicros = own;
      }
    }
    return new Choice(best, reason(best, options, micros), candidates);
  }

  private String reason(LinearOption best, List<LinearOption> options, Map<String, Double> micros) {
    StringBuilder reason = new StringBuilder();
    reason.append(best.form().structure().label()).append(' ');
    reason.append(best.form().values().label()).append(" weights");
    for (LinearOption option : options) {
      if (option != best && option.isDense()) {
        boolean known = micros.containsKey(best.name()) && micros.containsKey(option.name());
        double ratio =
            known
                ? micros.get(option.name()) / micros.get(best.name())
                : option.predictedMicros() / best.predictedMicros();
        reason.append(
            String.format(
                Locale.ROOT,
                "; %s %.2fx of %s",
                known ? "measured" : "predicted",
                ratio,
                option.name()));
        break;
      }
    }
    return reason.toString();
  }

  /**
   * The weights of a layer as an option takes them, copied to the device now if they are not yet.
   */
  DeviceWeights weights(LinearLayer layer, LinearOption option) {
    Map<FormKey, DeviceWeights> forms =
        packed.computeIfAbsent(layer.weights(), unused -> new HashMap<>());
    FormKey key = new FormKey(option.form(), option.activation());
    DeviceWeights known = forms.get(key);
    if (known == null) {
      try (Arena arena = Arena.ofShared()) {
        known =
            new DeviceWeights(
                library.context(),
                PackedWeights.pack(
                    layer.name(), layer.weights(), option.form(), option.activation(), arena));
      }
      forms.put(key, known);
    }
    return known;
  }

  boolean isMeasured(LinearLayer layer) {
    return measured.containsKey(layer.kind());
  }

  /** Takes measurements, in microseconds by name of the option. */
  void record(LinearLayer layer, Map<String, Double> micros) {
    measured.put(layer.kind(), Map.copyOf(micros));
  }

  /** Frees weights that only candidates used which were not taken. */
  void retainChosen(List<LinearLayer> layers) {
    Map<Weights, Map<FormKey, DeviceWeights>> kept = new IdentityHashMap<>();
    for (LinearLayer layer : layers) {
      LinearOption option = choose(layer).option();
      FormKey key = new FormKey(option.form(), option.activation());
      Map<FormKey, DeviceWeights> forms = packed.get(layer.weights());
      if (forms != null && forms.containsKey(key)) {
        kept.computeIfAbsent(layer.weights(), unused -> new HashMap<>())
            .put(key, forms.remove(key));
      }
    }
    close();
    packed.putAll(kept);
  }

  /** Bytes of all weights on the device. */
  long bytes() {
    return packed.values().stream()
        .flatMap(forms -> forms.values().stream())
        .mapToLong(DeviceWeights::bytes)
        .sum();
  }

  @Override
  public void close() {
    packed.values().forEach(forms -> forms.values().forEach(DeviceWeights::close));
    packed.clear();
  }
}
