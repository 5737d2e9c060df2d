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
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Chooses the kernels of convolutions and keeps their weights on the device, as {@link
 * LinearDispatch} does for linear layers: a model of the device discards what cannot be the
 * fastest, measurements decide among the rest, a dense kernel is always one of them. Int8 is taken
 * only by a session that asks for it by name. Not thread-safe.
 */
final class ConvolutionDispatch implements AutoCloseable {
  /** The operation of the manifest, and how the names of its kernels begin. */
  static final String OPERATION = "convolution";

  private final DeviceState device;
  private final KernelManifest manifest;
  private final LinearModel model;
  private final String wanted;
  private final LaidWeights<Layout> loaded = new LaidWeights<>();

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

  /** Whether the session asks for kernels of convolutions. */
  boolean isAskedFor() {
    return !wanted.isEmpty();
  }

  /**
   * The ways a layer can run, the one predicted to be fastest first; only those the session asks
   * for where there are any.
   */
  List<ConvolutionOption> options(ConvolutionLayer layer) {
    List<ConvolutionOption> all = all(layer);
    List<ConvolutionOption> asked = all.stream().filter(this::isAskedFor).toList();
    return asked.isEmpty()
        ? LayerChoice.worthMeasuring(
            all.stream().filter(option -> option.activation() == ActivationType.F16).toList())
        : asked;
  }

  private boolean isAskedFor(ConvolutionOption option) {
    return isAskedFor() && option.name().startsWith(wanted);
  }

  /** The choice for a layer as things are known now. */
  LayerChoice<ConvolutionOption> choose(ConvolutionLayer layer) {
    return LayerChoice.among(options(layer), device.times(), layer.kind());
  }

  /** Why a layer runs as it does. */
  String reason(ConvolutionLayer layer, LayerChoice<ConvolutionOption> choice) {
    ConvolutionOption option = choice.option();
    StringBuilder reason = new StringBuilder(option.weights());
    reason.append(" weights along the channels");
    if (!layer.isSparse()) {
      reason.append(", which are not 2:4");
    }
    int pitch = pitch(option, layer);
    if (pitch != layer.channels()) {
      reason.append("; ").append(layer.channels()).append(" channels padded to ").append(pitch);
    }
    if (isAskedFor()) {
      reason.append(isAskedFor(option) ? "; asked for by the session" : "; has no " + wanted);
    }
    return reason.append(choice.ratio()).toString();
  }

  /** Every way that the device and the weights allow, the one predicted to be fastest first. */
  private List<ConvolutionOption> all(ConvolutionLayer layer) {
    List<ConvolutionOption> options = new ArrayList<>();
    for (KernelEntry kernel : manifest.of(OPERATION)) {
      boolean sparse = kernel.weights().orElseThrow().structure() == WeightsForm.Structure.SPARSE24;
      if (!model.isRunnable(kernel, layer.tokens()) || sparse && !layer.isSparse()) {
        continue;
      }
      options.addAll(options(kernel, layer));
    }
    options.sort(Comparator.comparingDouble(ConvolutionOption::predictedMicros));
    return options;
  }

  private List<ConvolutionOption> options(KernelEntry kernel, ConvolutionLayer layer) {
    int rows = layer.weights().rows();
    int pitch = pitch(kernel.activation().orElseThrow(), layer);
    int columns = layer.geometry().taps() * pitch;
    LinearGrid whole = LinearGrid.of(kernel, rows, columns, layer.tokens());
    int bytes = kernel.activation().orElseThrow() == ActivationType.I8 ? 1 : 2;
    double weightBytes =
        LinearDispatch.weightBytes(kernel.weights().orElseThrow(), (double) rows * columns);
    // the image itself is read from memory once, its patches from the second-level cache
    double imageBytes = (double) layer.pixels() * pitch * bytes;
    return whole.ways(model.resident(kernel)).stream()
        .map(
            grid ->
                new ConvolutionOption(
                    kernel,
                    grid,
                    model.micros(kernel, grid, rows, layer.tokens(), weightBytes, imageBytes)))
        .toList();
  }

  /** Elements of a pixel as an option reads it. */
  static int pitch(ConvolutionOption option, ConvolutionLayer layer) {
    return pitch(option.activation(), layer);
  }

  private static int pitch(ActivationType activation, ConvolutionLayer layer) {
    return Rows.pitch(activation == ActivationType.I8 ? DType.I8 : DType.F16, layer.channels());
  }

  private static Layout layout(ConvolutionLayer layer, ConvolutionOption option) {
    return new Layout(option.form(), pitch(option, layer));
  }

  /** The weights of a layer as an option takes them, copied to the device once. */
  DeviceWeights weights(ConvolutionLayer layer, ConvolutionOption option) {
    Layout layout = layout(layer, option);
    return loaded.of(
        layer.weights(),
        layout,
        option.name(),
        () -> {
          try (Arena arena = Arena.ofShared()) {
            Weights padded =
                ConvolutionWeights.patches(
                    layer.weights(),
                    layer.geometry().taps(),
                    layout.pitch(),
                    layout.form().values());
            PackedWeights packed =
                PackedWeights.pack(layer.name(), padded, option.form(), option.activation(), arena);
            return MetadataCheck.load(device, layer.name(), packed);
          }
        });
  }

  /** The weights of a layer as the direct kernels take them, copied to the device once. */
  DeviceWeights direct(Weights weights, int taps, String kernel) {
    return loaded.of(
        weights,
        new Layout(null, taps),
        kernel,
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            return new DeviceWeights(
                device.context(),
                Map.of("w", ConvolutionWeights.direct(weights, taps, arena)),
                Map.of());
          }
        });
  }

  /**
   * Frees weights that no layer of these plans uses: those of candidates that were not taken. There
   * are none among those of the direct kernels.
   */
  void retain(Collection<ConvolutionLayer.Planned> layers) {
    Map<Weights, Set<Layout>> used = new IdentityHashMap<>();
    for (ConvolutionLayer.Planned layer : layers) {
      used.computeIfAbsent(layer.layer().weights(), unused -> new HashSet<>())
          .add(layout(layer.layer(), layer.option()));
    }
    loaded.retain(
        (weights, layout) ->
            layout.form() == null || used.getOrDefault(weights, Set.of()).contains(layout));
  }

  /** Bytes of all weights on the device. */
  long bytes() {
    return loaded.bytes();
  }

  @Override
  public void close() {
    loaded.close();
  }
}
