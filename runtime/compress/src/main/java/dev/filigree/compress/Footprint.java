package dev.filigree.compress;

import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.spi.Kernels;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How much calibration holds at once: what lies between two layers, of all samples. Images of usual
 * size make many megabytes each, so that fewer of them are taken than the heap would not bear;
 * texts, whose inputs are indices, are bounded by their tokens.
 */
final class Footprint {
  private static final System.Logger LOG = System.getLogger("dev.filigree");

  /** Of the heap that values may take. */
  private static final double SHARE = 0.5;

  private Footprint() {}

  /** The samples, or evenly chosen batches of them, as many as the heap bears. */
  static Calibration fitting(
      Graph graph, Calibration calibration, SessionOptions options, Kernels kernels) {
    long most = (long) (SHARE * Runtime.getRuntime().maxMemory());
    return fitting(graph, calibration, options, kernels, most);
  }

  /**
   * The same within a number of bytes.
   *
   * @param most bytes that values may take; one batch is taken in any case
   */
  static Calibration fitting(
      Graph graph, Calibration calibration, SessionOptions options, Kernels kernels, long most) {
    List<Map<String, Tensor>> batches = calibration.batches();
    Map<String, Tensor> largest =
        batches.stream().max(Comparator.comparingLong(Footprint::bytes)).orElseThrow();
    boolean dense = largest.values().stream().anyMatch(tensor -> tensor.dtype().isFloating());
    if (!dense || batches.size() == 1) {
      return calibration;
    }
    // the dense and the compressed model hold values of their own
    long each = 2 * peak(graph, largest, options, kernels);
    int fits = Math.clamp(most / Math.max(1, each), 1, batches.size());
    if (fits == batches.size()) {
      return calibration;
    }
    List<Map<String, Tensor>> taken = new ArrayList<>();
    for (int i = 0; i < fits; i++) {
      taken.add(batches.get((int) ((long) i * batches.size() / fits)));
    }
    Calibration part = new Calibration(taken);
    LOG.log(
        System.Logger.Level.WARNING,
        String.format(
            Locale.ROOT,
            "learned from %,d of %,d samples: between two layers all of them hold %.1f GB, more"
                + " than half of the heap; raise -Xmx to learn from more",
            part.samples(),
            calibration.samples(),
            each * (double) batches.size() / 1e9));
    return part;
  }

  /** The most bytes of a batch that one model holds between two nodes. */
  private static long peak(
      Graph graph, Map<String, Tensor> batch, SessionOptions options, Kernels kernels) {
    Streams streams = new Streams(graph, new Calibration(List.of(batch)), options, kernels);
    List<Node> nodes = graph.nodes();
    long peak = 0;
    for (int i = 0; i < nodes.size(); i++) {
      streams.run(nodes.get(i), Map.of());
      peak = Math.max(peak, streams.denseBytes());
      streams.forget(i);
    }
    return peak;
  }

  private static long bytes(Map<String, Tensor> batch) {
    return batch.values().stream().mapToLong(Tensor::bytes).sum();
  }
}
