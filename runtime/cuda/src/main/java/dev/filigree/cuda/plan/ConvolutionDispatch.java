package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.cuda.layout.ConvolutionWeights;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.plan.LayerPlan;
import dev.filigree.weights.Sparse24;
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
 * Chooses the kernels of convolutions and keeps their weights on the device. The model of the
 * device decides, a dense kernel is always a candidate; int8 is taken only by a session that asks
 * for it by name. Not thread-safe.
 */
final class ConvolutionDispatch implements AutoCloseable {
  /** The operation of the manifest, and how the names of its kernels begin. */
  static final String OPERATION = "convolution";

  private final DeviceState device;
  private final KernelManifest manifest;
  private final LinearModel model;
  private final String wanted;
  private final Map<Weights, Map<Layout, DeviceWeights>> loaded = new IdentityHashMap<>();

  /** How weights lie on the device; a form of null is that of the direct kernels. */
  private record Layout(WeightsForm form, int pitch) {}

  /**
   * A dispatch.
   *
   * @param wanted how the names of kernels begin that should be chosen; empty for any
   */
  ConvolutionDispatch(DeviceState device, KernelManifest manifest, String wanted) {
    this.device = device;
    this.manifest = manifest;
    this.model = new LinearModel(device.context().properties());
    this.wanted = wanted;
  }

  /**
   * A convolution on tensor cores.
   *
   * @param weights {@code [out, taps * channels]}
   * @param taps elements of the window
   * @param pixels of the image
   * @param tokens pixels of the result
   */
  record Layer(String name, Weights weights, int taps, long pixels, int tokens) {
    int channels() {
      return weights.columns() / taps;
    }

    /** Whether two of every four channels are stored. */
    boolean isSparse() {
      return weights instanceof Sparse24 && channels() % Sparse24.GROUP == 0;
    }
  }

  /** How a layer runs and why. */
  record Choice(ConvolutionOption option, String reason, List<LayerPlan.Candidate> candidates) {}

  /** Whether the session asks for kernels of convolutions. */
  boolean isAskedFor() {
    return !wanted.isEmpty();
  }

  /** The choice for a layer. */
  Choice choose(Layer layer) {
    List<ConvolutionOption> all = options(layer);
    List<ConvolutionOption> asked =
        all.stream().filter(option -> isAskedFor() && option.name().startsWith(wanted)).toList();
    List<ConvolutionOption> options =
        asked.isEmpty()
            ? all.stream().filter(option -> option.activation() == ActivationType.F16).toList()
            : asked;
    ConvolutionOption best = options.getFirst();
    StringBuilder reason = new StringBuilder();
    reason
        .append(best.form().structure().label())
        .append(' ')
        .append(best.form().values().label())
        .append(" weights along the channels");
    if (!layer.isSparse()) {
      reason.append(", which are not 2:4");
    }
    int pitch = pitch(best, layer);
    if (pitch != layer.channels()) {
      reason.append("; ").append(layer.channels()).append(" channels padded to ").append(pitch);
    }
    if (isAskedFor()) {
      reason.append(asked.isEmpty() ? "; has no " + wanted : "; asked for by the session");
    }
    options.stream()
        .filter(option -> option != best && option.isDense() != best.isDense())
        .findFirst()
        .ifPresent(
            other ->
                reason.append(
                    String.format(
                        Locale.ROOT,
                        "; predicted %.2fx of %s",
                        other.predictedMicros() / best.predictedMicros(),
                        other.name())));
    return new Choice(
        best,
        reason.toString(),
        options.stream()
            .map(
                option ->
                    new LayerPlan.Candidate(option.name(), option.predictedMicros(), Double.NaN))
            .toList());
  }

  /** Every way that the device and the weights allow, the one predicted to be fastest first. */
  private List<ConvolutionOption> options(Layer layer) {
    List<ConvolutionOption> options = new ArrayList<>();
    for (KernelEntry kernel : manifest.of(OPERATION)) {
      boolean sparse = kernel.weights().orElseThrow().structure() == WeightsForm.Structure.SPARSE24;
      if (!model.isRunnable(kernel, layer.tokens()) || sparse && !layer.isSparse()) {
        continue;
      }
      ConvolutionOption whole = option(kernel, layer, 0);
      options.add(whole);
      int resident = model.resident(kernel);
      ConvolutionOption split = option(kernel, layer, resident);
      if (whole.grid().blocks() < split.grid().blocks() && split.grid().isShared()) {
        options.add(split);
      }
    }
    options.sort(Comparator.comparingDouble(ConvolutionOption::predictedMicros));
    return options;
  }

  private ConvolutionOption option(KernelEntry kernel, Layer layer, int blocks) {
    int rows = layer.weights().rows();
    int pitch = pitch(kernel.activation().orElseThrow(), layer);
    int columns = layer.taps() * pitch;
    LinearGrid grid = LinearGrid.of(kernel, rows, columns, layer.tokens());
    grid = blocks == 0 ? grid : grid.by(blocks);
    int bytes = kernel.activation().orElseThrow() == ActivationType.I8 ? 1 : 2;
    double weightBytes =
        LinearDispatch.weightBytes(kernel.weights().orElseThrow(), (double) rows * columns);
    // the image itself is read from memory once, its patches from the second-level cache
    double imageBytes = (double) layer.pixels() * pitch * bytes;
    return new ConvolutionOption(
        kernel, grid, model.micros(kernel, grid, rows, layer.tokens(), weightBytes, imageBytes));
  }

  /** Elements of a pixel as an option reads it. */
  static int pitch(ConvolutionOption option, Layer layer) {
    return pitch(option.activation(), layer);
  }

  private static int pitch(ActivationType activation, Layer layer) {
    return Rows.pitch(activation == ActivationType.I8 ? DType.I8 : DType.F16, layer.channels());
  }

  /** The weights of a layer as an option takes them, copied to the device once. */
  DeviceWeights weights(Layer layer, ConvolutionOption option) {
    int pitch = pitch(option, layer);
    return loaded
        .computeIfAbsent(layer.weights(), unused -> new HashMap<>())
        .computeIfAbsent(
            new Layout(option.form(), pitch),
            unused -> {
              try (Arena arena = Arena.ofShared()) {
                Weights padded =
                    ConvolutionWeights.patches(
                        layer.weights(), layer.taps(), pitch, option.form().values());
                PackedWeights packed =
                    PackedWeights.pack(
                        layer.name(), padded, option.form(), option.activation(), arena);
                return new DeviceWeights(device.context(), packed.parts(), 0);
              }
            });
  }

  /** The weights of a layer as the direct kernels take them, copied to the device once. */
  DeviceWeights direct(Weights weights, int taps) {
    return loaded
        .computeIfAbsent(weights, unused -> new HashMap<>())
        .computeIfAbsent(
            new Layout(null, taps),
            unused -> {
              try (Arena arena = Arena.ofConfined()) {
                return new DeviceWeights(
                    device.context(),
                    Map.of("w", ConvolutionWeights.direct(weights, taps, arena)),
                    0);
              }
            });
  }

  /** Bytes of all weights on the device. */
  long bytes() {
    return loaded.values().stream()
        .flatMap(each -> each.values().stream())
        .mapToLong(DeviceWeights::bytes)
        .sum();
  }

  @Override
  public void close() {
    loaded.values().forEach(each -> each.values().forEach(DeviceWeights::close));
    loaded.clear();
  }
}
