package dev.filigree.compress.train;

import dev.filigree.InputException;
import dev.filigree.Progress;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Teaches a compressed network what the dense one makes of unlabelled samples: first block after
 * block, each on what the compressed blocks before it make; then end to end, by the cosine between
 * the pooled outputs and the squared differences after every block. Masks stay as they are. The
 * same seed gives the same weights, whatever the number of threads.
 */
public final class Distillation {
  private static final int WARM_UP = 20;

  /**
   * How it goes.
   *
   * @param blockEpochs passes over the samples for each block; 0 leaves that part out
   * @param blockRate of learning, after a warm-up and before it falls along half a cosine
   * @param modelEpochs passes over the samples end to end; 0 leaves that part out
   * @param modelRate of learning end to end
   * @param hidden weight of the differences after blocks, beside the cosine's
   * @param positions of a step at most, texts times tokens
   * @param seed of the order of the samples
   */
  public record Options(
      int blockEpochs,
      double blockRate,
      int modelEpochs,
      double modelRate,
      double hidden,
      int positions,
      long seed) {
    /** What did well on a sentence encoder of six blocks. */
    public static final Options DEFAULTS = new Options(3, 7e-4, 2, 4e-4, 1, 384, 0);

    public Options {
      if (blockEpochs < 0 || modelEpochs < 0 || blockEpochs + modelEpochs == 0) {
        throw new InputException(
            "distillation of "
                + blockEpochs
                + " epochs by block and "
                + modelEpochs
                + " end to end",
            "choose 0 or more of each, and not both 0");
      }
      if (!(blockRate > 0) || !(modelRate > 0) || !(hidden >= 0) || positions < 1) {
        throw new InputException(
            "distillation with the rates "
                + blockRate
                + " and "
                + modelRate
                + ", hidden "
                + hidden
                + ", positions "
                + positions,
            "choose rates above 0, hidden of 0 or more, positions of 1 or more");
      }
    }
  }

  private final Graph graph;
  private final Set<Parameter> trained;
  private final Options options;
  private final Progress progress;
  private final Kernels kernels = KernelSets.open("");
  private final List<Map<String, Tensor>> ofBlocks = new ArrayList<>();
  private final List<Map<String, Tensor>> ofModel = new ArrayList<>();

  /** A distillation in which blocks and the whole learn from the same samples. */
  public Distillation(
      Graph graph,
      Collection<Parameter> trained,
      List<Map<String, Tensor>> batches,
      Options options,
      Progress progress) {
    this(graph, trained, batches, batches, options, progress);
  }

  /**
   * A distillation.
   *
   * @param graph of the dense model
   * @param trained what takes the place of its constants, with masks; changed by {@link #run}
   * @param ofBlocks samples of one length each, by input, that blocks learn from
   * @param ofModel samples that the network learns from end to end
   * @param progress hears of steps
   */
  public Distillation(
      Graph graph,
      Collection<Parameter> trained,
      List<Map<String, Tensor>> ofBlocks,
      List<Map<String, Tensor>> ofModel,
      Options options,
      Progress progress) {
    this.graph = graph;
    this.trained = new HashSet<>(trained);
    this.options = options;
    this.progress = progress;
    ofBlocks.forEach(batch -> cut(batch, this.ofBlocks));
    ofModel.forEach(batch -> cut(batch, this.ofModel));
  }

  /** Cuts a batch along its first axis into steps. */
  private void cut(Map<String, Tensor> batch, List<Map<String, Tensor>> samples) {
    Tensor any = batch.values().iterator().next();
    int count = (int) any.shape().extent(0);
    int inner = (int) Math.max(1, any.elements() / Math.max(1, count));
    int together = Math.max(1, options.positions / inner);
    for (int from = 0; from < count; from += together) {
      int to = Math.min(count, from + together);
      Map<String, Tensor> part = new HashMap<>();
      for (Map.Entry<String, Tensor> entry : batch.entrySet()) {
        part.put(entry.getKey(), rows(entry.getValue(), from, to));
      }
      samples.add(part);
    }
  }

  private static Tensor rows(Tensor tensor, int from, int to) {
    Tensor whole = tensor.contiguous();
    long[] extents = new long[whole.shape().rank()];
    for (int axis = 0; axis < extents.length; axis++) {
      extents[axis] = whole.shape().extent(axis);
    }
    long bytes = extents[0] == 0 ? 0 : whole.bytes() / extents[0];
    extents[0] = to - from;
    return Tensor.of(
        whole.dtype(), Shape.of(extents), whole.data().asSlice(from * bytes, (to - from) * bytes));
  }

  /**
   * What training did.
   *
   * @param blocks for each block the loss of its first epoch and of its last: the mean square of
   *     the difference over the variance of the dense block's output
   * @param model mean of one minus the cosine over the first and the last tenth of the steps end to
   *     end; NaN if there were none
   */
  public record Result(List<double[]> blocks, double[] model) {}

  /**
   * Refuses a graph that gradients cannot flow through, before any work is done for it.
   *
   * @throws dev.filigree.UnsupportedException naming the node
   */
  public static void check(Graph graph) {
    try (WorkerPool pool = new WorkerPool(1, "filigree-distill")) {
      new Network(graph, List.of(), KernelSets.open(""), pool).close();
    }
  }

  /** Trains the parameters. */
  public Result run(int threads) {
    try (WorkerPool pool = new WorkerPool(threads, "filigree-distill");
        Network dense = new Network(graph, List.of(), kernels, pool);
        Network student = new Network(graph, trained, kernels, pool)) {
      List<Network.Segment> blocks = blocks(student);
      List<double[]> losses =
          options.blockEpochs == 0
              ? List.of()
              : new Blocks(dense, student, prepared(dense, ofBlocks), pool).run(blocks);
      double[] model = {Double.NaN, Double.NaN};
      if (options.modelEpochs > 0) {
        model = whole(dense, student, prepared(dense, ofModel), blocks, pool);
      }
      return new Result(losses, model);
    }
  }

  /**
   * Blocks to train by themselves: a new one begins where attention or, without any, a trained
   * layer comes again.
   */
  private List<Network.Segment> blocks(Network network) {
    List<Network.Segment> segments = network.segments();
    boolean attends = segments.stream().anyMatch(Network.Segment::attends);
    List<Network.Segment> blocks = new ArrayList<>();
    for (Network.Segment segment : segments) {
      boolean begins = attends ? segment.attends() : !ours(network, segment).isEmpty();
      if (begins || blocks.isEmpty()) {
        blocks.add(segment);
      } else {
        Network.Segment last = blocks.removeLast();
        blocks.add(
            new Network.Segment(
                last.from(),
                segment.to(),
                last.input(),
                segment.output(),
                last.attends() || segment.attends()));
      }
    }
    return blocks;
  }

  private List<Parameter> ours(Network network, Network.Segment segment) {
    return network.parameters(segment).stream().filter(trained::contains).toList();
  }

  private static List<Network.Batch> prepared(Network network, List<Map<String, Tensor>> samples) {
    return samples.stream().map(network::prepare).toList();
  }

  private static int[] shuffled(int count, SplittableRandom random) {
    int[] order = new int[count];
    for (int i = 0; i < order.length; i++) {
      int other = random.nextInt(i + 1);
      order[i] = order[other];
      order[other] = i;
    }
    return order;
  }

  private static double rate(double rate, int step, int steps) {
    double warm = Math.min(1, (step + 1.0) / WARM_UP);
    return rate * warm * (0.5 + 0.5 * Math.cos(Math.PI * step / steps));
  }

  /** Mean over features of the variance over positions, of some batches. */
  private static double variance(List<Signal> signals) {
    int features = signals.getFirst().features();
    double sum = 0;
    for (int f = 0; f < features; f++) {
      double total = 0;
      double square = 0;
      long count = 0;
      for (Signal signal : signals) {
        int positions = signal.positions();
        for (int i = f * positions; i < (f + 1) * positions; i++) {
          total += signal.data()[i];
          square += (double) signal.data()[i] * signal.data()[i];
        }
        count += positions;
      }
      sum += square / count - total / count * (total / count);
    }
    // a block that makes one constant has nothing to learn from a scale
    return sum > 0 ? sum / features : 1;
  }

  /** The blocks one after the other, with what both networks make up to there. */
  private final class Blocks {
    private final Network dense;
    private final Network student;
    private final List<Network.Batch> batches;
    private final WorkerPool pool;
    private Signal[] taught;
    private Signal[] learned;

    Blocks(Network dense, Network student, List<Network.Batch> batches, WorkerPool pool) {
      this.dense = dense;
      this.student = student;
      this.batches = batches;
      this.pool = pool;
      this.taught = new Signal[batches.size()];
      this.learned = new Signal[batches.size()];
    }

    List<double[]> run(List<Network.Segment> blocks) {
      SplittableRandom random = new SplittableRandom(options.seed);
      List<double[]> losses = new ArrayList<>();
      for (int b = 0; b < blocks.size(); b++) {
        Network.Segment block = blocks.get(b);
        Signal[] targets = outputs(dense, block, taught);
        List<Parameter> parameters = ours(student, block);
        if (!parameters.isEmpty()) {
          losses.add(train(block, parameters, targets, random, b, blocks.size()));
        }
        learned = outputs(student, block, learned);
        taught = targets;
      }
      return losses;
    }

    private Signal[] outputs(Network network, Network.Segment block, Signal[] from) {
      Signal[] outputs = new Signal[from.length];
      for (int j = 0; j < from.length; j++) {
        outputs[j] = network.run(block, batches.get(j), from[j], false).output();
      }
      return outputs;
    }

    private double[] train(
        Network.Segment block,
        List<Parameter> parameters,
        Signal[] targets,
        SplittableRandom random,
        int index,
        int count) {
      double variance = variance(Arrays.asList(targets));
      Optimizer optimizer = new Optimizer.Adam(parameters, pool);
      int steps = options.blockEpochs * targets.length;
      double[] epochs = new double[options.blockEpochs];
      int step = 0;
      for (int epoch = 0; epoch < epochs.length; epoch++) {
        for (int j : shuffled(targets.length, random)) {
          Network.Trace trace = student.run(block, batches.get(j), learned[j], true);
          Loss.Result loss = Loss.meanSquare(trace.output(), targets[j], variance, 1);
          trace.backward(Map.of(block.output(), loss.gradient()));
          optimizer.step(rate(options.blockRate, step++, steps));
          epochs[epoch] += loss.value() / targets.length;
        }
        progress.at("distilling blocks", index * epochs.length + epoch + 1, count * epochs.length);
      }
      requireFinite(epochs[epochs.length - 1], options.blockRate);
      return new double[] {epochs[0], epochs[epochs.length - 1]};
    }
  }

  private static void requireFinite(double loss, double rate) {
    if (!Double.isFinite(loss)) {
      throw new InputException(
          "distillation at a rate of " + rate + " led to a loss of " + loss, "choose a lower rate");
    }
  }

  private double[] whole(
      Network dense,
      Network student,
      List<Network.Batch> batches,
      List<Network.Segment> blocks,
      WorkerPool pool) {
    SplittableRandom random = new SplittableRandom(options.seed + 1);
    Network.Segment all = student.whole();
    Optimizer optimizer = new Optimizer.Adam(ours(student, all), pool);
    List<Network.Segment> judged =
        blocks.stream().filter(block -> !ours(student, block).isEmpty()).toList();
    Map<String, Double> variances = new HashMap<>();
    int steps = options.modelEpochs * batches.size();
    List<Double> losses = new ArrayList<>();
    for (int epoch = 0; epoch < options.modelEpochs; epoch++) {
      for (int j : shuffled(batches.size(), random)) {
        Network.Trace wanted = dense.run(all, batches.get(j), null, false);
        Network.Trace trace = student.run(all, batches.get(j), null, true);
        Loss.Result cosine = Loss.pooledCosine(trace.output(), wanted.output());
        Map<String, float[]> gradients = new HashMap<>();
        gradients.put(all.output(), cosine.gradient());
        for (Network.Segment block : options.hidden == 0 ? List.<Network.Segment>of() : judged) {
          Signal target = wanted.value(block.output());
          // of the first batch: all that is needed is a scale
          double variance =
              variances.computeIfAbsent(block.output(), name -> variance(List.of(target)));
          Loss.Result hidden =
              Loss.meanSquare(
                  trace.value(block.output()), target, variance, options.hidden / judged.size());
          gradients.merge(block.output(), hidden.gradient(), Distillation::sum);
        }
        trace.backward(gradients);
        optimizer.step(rate(options.modelRate, losses.size(), steps));
        losses.add(cosine.value());
        progress.at("distilling end to end", losses.size(), steps);
      }
    }
    requireFinite(losses.getLast(), options.modelRate);
    int tenth = Math.max(1, losses.size() / 10);
    return new double[] {
      mean(losses.subList(0, tenth)), mean(losses.subList(losses.size() - tenth, losses.size()))
    };
  }

  private static double mean(List<Double> values) {
    return values.stream().mapToDouble(value -> value).average().orElseThrow();
  }

  private static float[] sum(float[] a, float[] b) {
    float[] sum = new float[a.length];
    for (int i = 0; i < sum.length; i++) {
      sum[i] = a[i] + b[i];
    }
    return sum;
  }
}
