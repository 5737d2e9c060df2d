package dev.filigree.cuda.plan;

import dev.filigree.cuda.operation.Convolution.Geometry;
import dev.filigree.cuda.operation.Pooling.Extent;
import dev.filigree.cuda.operation.Pooling.Window;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A convolution of a plan on tensor cores.
 *
 * @param name in messages
 * @param weights {@code [out, taps * channels]}
 * @param batch images
 */
record ConvolutionLayer(String name, Weights weights, Geometry geometry, int batch) {
  /** A layer and how a plan runs it. */
  record Planned(ConvolutionLayer layer, ConvolutionOption option) implements PlannedLayer {
    @Override
    public LayerKind kind() {
      return layer.kind();
    }

    @Override
    public Optional<LayerBench> bench(DeviceState device) {
      List<ConvolutionOption> options = device.convolutions().options(layer);
      return options.size() < 2
          ? Optional.empty()
          : Optional.of(ConvolutionBench.of(device, layer, options));
    }
  }

  int channels() {
    return weights.columns() / geometry.taps();
  }

  /** Pixels of all images. */
  long pixels() {
    return pixels(geometry.image());
  }

  /** Pixels of all results. */
  int tokens() {
    return Math.toIntExact(pixels(geometry.result()));
  }

  private long pixels(Extent extent) {
    return (long) batch * extent.height() * extent.width();
  }

  /** Whether two of every four channels are stored. */
  boolean isSparse() {
    return weights instanceof Sparse24 && channels() % Sparse24.GROUP == 0;
  }

  LayerKind kind() {
    return new LayerKind(
        weights.rows(),
        weights.columns(),
        weights.format(),
        weights.stored(),
        tokens(),
        false,
        words());
  }

  /** What tells its geometry from others, for people too. */
  private String words() {
    Window window = geometry.window();
    return String.format(
        Locale.ROOT,
        "%s of %s by %s, padded by %s, dilated by %s, to %s",
        words(window.size()),
        words(geometry.image()),
        words(window.stride()),
        words(window.padding()),
        words(window.dilation()),
        words(geometry.result()));
  }

  private static String words(Extent extent) {
    return extent.height() + "x" + extent.width();
  }
}
