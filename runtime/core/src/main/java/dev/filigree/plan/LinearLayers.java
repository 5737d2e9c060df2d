package dev.filigree.plan;

import dev.filigree.Precision;
import dev.filigree.graph.Node;
import dev.filigree.kernel.scalar.ScalarKernels;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LayerOption;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.PackedLinear;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Chooses how each linear layer runs and keeps the packed weights. Dense multiplication is always
 * among the candidates; until {@link #record} has measurements a model of the machine decides.
 * Thread-safe.
 */
final class LinearLayers {
  /**
   * How much faster than the predicted best a kernel must be measured to be taken: less is noise.
   */
  private static final double MARGIN = 0.97;

  /** Choices that are remembered at most. */
  private static final int MAX_CHOICES = 1 << 14;

  /**
   * A class of layers that are measured once: same weights' form and size, same number of tokens.
   */
  record Kind(int rows, int columns, String format, long stored, Use use, int tokens) {
    static Kind of(Layer layer, int tokens) {
      Weights weights = layer.weights;
      return new Kind(
          weights.rows(), weights.columns(), weights.format(), weights.stored(), layer.use, tokens);
    }
  }

  /**
   * Weights and how they are used.
   *
   * @param weights compared by identity
   */
  record Layer(Weights weights, Use use) {
    @Override
    public boolean equals(Object other) {
      return other instanceof Layer(Weights same, Use alike) && same == weights && alike == use;
    }

    @Override
    public int hashCode() {
      return 31 * System.identityHashCode(weights) + use.hashCode();
    }
  }

  /** What a layer's weights are multiplied with. */
  enum Use {
    /** f32 values that may be rounded as far as the session's precision permits. */
    VALUES,
    /** f32 values as they are, of a step that has no other form of them. */
    EXACT_VALUES,
    /** Integers that the graph made of them. */
    INTEGERS
  }

  /**
   * The kernel of a layer and why it was taken.
   *
   * @param option position among the options
   */
  record Choice(int option, String kernel, String reason, List<LayerPlan.Candidate> candidates) {}

  private final Kernels kernels;
  private final Precision precision;
  private final Map<Layer, PackedLinear[]> packed = new HashMap<>();
  private final Map<Layer, List<LayerOption>> options = new HashMap<>();
  private final Map<Weights, Weights> integers = new IdentityHashMap<>();
  private final Map<Weights, List<Weights>> groups = new IdentityHashMap<>();
  private final Map<Weights, List<LinearKernel>> transformed = new IdentityHashMap<>();
  private final Map<Kind, double[]> measured = new HashMap<>();

  /** By layer and tokens, until there are further measurements. */
  private final Map<Sized, Choice> choices = new HashMap<>();

  private final Map<Node, RecurrentWeights> recurrent = new IdentityHashMap<>();
  private int version;

  LinearLayers(Kernels kernels, Precision precision) {
    this.kernels = kernels;
    this.precision = precision;
  }

  Kernels kernels() {
    return kernels;
  }

  /**
   * The ways a layer can run, the one to take without a measurement first. Of integers all give the
   * same bits as long as no sum of integers reaches 2^24.
   */
  synchronized List<LayerOption> options(Layer layer) {
    return options.computeIfAbsent(layer, this::find);
  }

  private List<LayerOption> find(Layer layer) {
    List<LayerOption> all = new ArrayList<>();
    if (layer.use == Use.INTEGERS) {
      all.addAll(kernels.linear(integers(layer.weights)));
      kernels.integers(layer.weights).ifPresent(all::add);
      return List.copyOf(all);
    }
    all.addAll(kernels.linear(layer.weights));
    if (layer.use == Use.VALUES) {
      all.addAll(kernels.rounded(layer.weights, precision));
    }
    return List.copyOf(all);
  }

  /**
   * The weights of a product of integers: scaled integers without their scales, others as they are.
   * The same object for the same weights.
   */
  private synchronized Weights integers(Weights weights) {
    return integers.computeIfAbsent(
        weights, scaled -> scaled instanceof Quantized quantized ? quantized.integers() : scaled);
  }

  /**
   * The weights of each group of a convolution, {@code rows / groups} rows each, dense. The same
   * objects for the same weights.
   */
  synchronized List<Weights> groups(Weights weights, int count) {
    return groups.computeIfAbsent(
        weights,
        whole -> {
          int rows = whole.rows() / count;
          List<Weights> parts = new ArrayList<>();
          for (int group = 0; group < count; group++) {
            float[] values = new float[Math.multiplyExact(rows, whole.columns())];
            for (int row = 0; row < rows; row++) {
              whole.unpackRow(group * rows + row, values, row * whole.columns());
            }
            parts.add(Dense.of(rows, whole.columns(), values));
          }
          return List.copyOf(parts);
        });
  }

  /** The weights of a recurrent layer, packed now if they are not yet. */
  synchronized RecurrentWeights recurrent(
      Node node, RecurrentWeights.Source source, RecurrentWeights.Form form) {
    RecurrentWeights known = recurrent.get(node);
    if (known == null || !known.source().isSame(source)) {
      known = RecurrentWeights.pack(source, form, kernels);
      recurrent.put(node, known);
    }
    return known;
  }

  /**
   * What is left when the JIT compiler gave up on all other kernels of a layer: the dense scalar
   * one. It has the position after the last of {@link #options}.
   */
  LayerOption lastResort(Layer layer) {
    Weights weights = layer.use == Use.INTEGERS ? integers(layer.weights) : layer.weights;
    return new ScalarKernels().linear(weights).getLast();
  }

  /** Changes whenever layers may be chosen or packed otherwise than before. */
  synchronized int version() {
    return version;
  }

  private record Sized(Layer layer, int tokens) {}

  /** The choice for a layer and a number of tokens as things are known now. */
  synchronized Choice choose(Layer layer, int tokens) {
    Sized sized = new Sized(layer, tokens);
    Choice known = choices.get(sized);
    if (known == null) {
      // as many as there are lengths of texts, if nobody bounds them
      if (choices.size() >= MAX_CHOICES) {
        choices.clear();
      }
      known = find(layer, tokens);
      choices.put(sized, known);
    }
    return known;
  }

  private Choice find(Layer layer, int tokens) {
    List<LayerOption> options = options(layer);
    double[] micros = measured.get(Kind.of(layer, tokens));
    if (micros != null && micros.length > options.size()) {
      options = Stream.concat(options.stream(), Stream.of(lastResort(layer))).toList();
    }
    int predictedBest = 0;
    List<LayerPlan.Candidate> candidates = new ArrayList<>();
    for (int i = 0; i < options.size(); i++) {
      LayerOption option = options.get(i);
      double predicted = option.predictedNanos(tokens) / 1e3;
      if (predicted < options.get(predictedBest).predictedNanos(tokens) / 1e3) {
        predictedBest = i;
      }
      candidates.add(
          new LayerPlan.Candidate(
              option.name(), predicted, micros == null ? Double.NaN : micros[i]));
    }
    int best = predictedBest;
    for (int i = 0; micros != null && i < micros.length; i++) {
      if (micros[i] < micros[best] * (best == predictedBest ? MARGIN : 1)) {
        best = i;
      }
    }
    LayerOption option = options.get(best);
    return new Choice(
        best, option.name(), reason(option, candidates, best, micros != null), candidates);
  }

  private static String reason(
      LayerOption option, List<LayerPlan.Candidate> candidates, int best, boolean measured) {
    StringBuilder reason = new StringBuilder(option.reason());
    for (int i = 0; i < candidates.size(); i++) {
      if (i != best) {
        LayerPlan.Candidate own = candidates.get(best);
        LayerPlan.Candidate other = candidates.get(i);
        double ratio =
            measured
                ? other.measuredMicros() / own.measuredMicros()
                : other.predictedMicros() / own.predictedMicros();
        reason
            .append(measured ? "; measured " : "; predicted ")
            .append(String.format(Locale.ROOT, "%.2fx of ", ratio))
            .append(other.kernel());
      }
    }
    return reason.toString();
  }

  /** The packed weights of an option, packed now if they are not yet. */
  PackedLinear kernel(Layer layer, int option) {
    PackedLinear[] kernelsOfLayer;
    synchronized (this) {
      kernelsOfLayer =
          packed.computeIfAbsent(layer, unused -> new PackedLinear[options(layer).size() + 1]);
    }
    synchronized (kernelsOfLayer) {
      if (kernelsOfLayer[option] == null) {
        List<LayerOption> options = options(layer);
        kernelsOfLayer[option] =
            pack(option < options.size() ? options.get(option) : lastResort(layer), layer.weights);
      }
      return kernelsOfLayer[option];
    }
  }

  /** Whether an option of a layer is packed. */
  boolean isPacked(Layer layer, int option) {
    PackedLinear[] kernelsOfLayer;
    synchronized (this) {
      kernelsOfLayer = packed.get(layer);
    }
    if (kernelsOfLayer == null) {
      return false;
    }
    synchronized (kernelsOfLayer) {
      return kernelsOfLayer[option] != null;
    }
  }

  private static PackedLinear pack(LayerOption option, Weights weights) {
    return Recorded.pack(option.name(), weights.format(), option::pack, PackedLinear::bytes);
  }

  /**
   * The products of a convolution that runs by {@link Winograd}'s tiles, packed now if they are not
   * yet: one for each element.
   */
  synchronized List<LinearKernel> transformed(Weights weights) {
    return transformed.computeIfAbsent(
        weights,
        direct -> {
          List<LinearKernel> products = new ArrayList<>();
          for (int element = 0; element < Winograd.ELEMENTS; element++) {
            Weights each = Winograd.element(direct, element);
            products.add((LinearKernel) pack(kernels.linear(each).getLast(), each));
          }
          return List.copyOf(products);
        });
  }

  /** Whether a kind has been measured. */
  synchronized boolean isMeasured(Kind kind) {
    return measured.containsKey(kind);
  }

  /**
   * Takes measurements, in microseconds for each option, and for the last resort if it was needed.
   */
  synchronized void record(Kind kind, double[] micros) {
    measured.put(kind, micros.clone());
    choices.clear();
    version++;
  }

  /**
   * Frees packed weights that no plan uses.
   *
   * @param used compared by identity
   */
  synchronized void retain(Set<PackedLinear> used) {
    version++;
    transformed.values().removeIf(products -> !used.contains(products.getFirst()));
    for (PackedLinear[] kernelsOfLayer : packed.values()) {
      synchronized (kernelsOfLayer) {
        for (int i = 0; i < kernelsOfLayer.length; i++) {
          if (!used.contains(kernelsOfLayer[i])) {
            kernelsOfLayer[i] = null;
          }
        }
      }
    }
  }

  /** Bytes of all packed weights. */
  synchronized long bytes() {
    long bytes =
        transformed.values().stream().flatMap(List::stream).mapToLong(PackedLinear::bytes).sum();
    for (PackedLinear[] kernelsOfLayer : packed.values()) {
      for (PackedLinear kernel : kernelsOfLayer) {
        bytes += kernel == null ? 0 : kernel.bytes();
      }
    }
    for (RecurrentWeights weights : recurrent.values()) {
      bytes += weights.bytes();
    }
    return bytes;
  }
}
