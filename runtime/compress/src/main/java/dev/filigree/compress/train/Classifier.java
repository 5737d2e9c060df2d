package dev.filigree.compress.train;

import dev.filigree.InputException;
import dev.filigree.compress.Structure;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.KernelSets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Trains a classifier by momentum: dense, with what a mask keeps, gradually pruned, or the
 * centroids alone. The same seed gives the same weights, whatever the number of threads. Not safe
 * to share.
 */
public final class Classifier implements AutoCloseable {
  private static final int EVALUATED_TOGETHER = 500;

  /**
   * How training goes.
   *
   * @param epochs passes over the samples
   * @param batch samples of a step
   * @param rate of learning at the start; it falls to zero along half a cosine
   * @param decay pull of the values towards zero
   * @param seed of the order of the samples
   */
  public record Options(
      int epochs, int batch, double rate, double momentum, double decay, long seed) {
    public Options {
      if (epochs < 1 || batch < 1 || !(rate > 0) || !(momentum >= 0 && momentum < 1)) {
        throw new InputException(
            "training of "
                + epochs
                + " epochs, batch "
                + batch
                + ", rate "
                + rate
                + ", momentum "
                + momentum,
            "choose 1 epoch or more, a batch of 1 or more, a rate above 0, a momentum below 1");
      }
      if (!(decay >= 0)) {
        throw new InputException("a decay of " + decay, "choose 0 or more, for example 5e-4");
      }
    }
  }

  /**
   * What is pruned while training.
   *
   * @param structures by the constant of a layer's weights, as the graph has it
   * @param schedule of fractions; groups and blocks are pruned when it begins
   */
  public record Pruning(Map<String, Structure> structures, PruningSchedule schedule) {}

  private final Graph graph;
  private final WorkerPool pool;
  private final Network network;
  private final Map<String, Parameter> weights = new LinkedHashMap<>();
  private final List<Parameter> parameters;

  /**
   * A classifier.
   *
   * @param graph with one input and class scores as its first output
   * @param threads that work side by side
   * @throws dev.filigree.UnsupportedException if gradients cannot flow through a node
   */
  public Classifier(Graph graph, int threads) {
    if (graph.inputs().size() != 1) {
      throw new InputException(
          "the network has " + graph.inputs().size() + " inputs", "train a classifier of one");
    }
    this.graph = graph;
    this.pool = new WorkerPool(threads, "filigree-train");
    this.network = new Network(graph, List.of(), KernelSets.open(""), pool);
    this.parameters = network.parameters(network.whole());
    for (Node node : graph.nodes()) {
      if (node.isFused(Linear.TYPE) || node.isFused(Convolution.TYPE)) {
        String name = node.inputs().get(Linear.WEIGHTS);
        parameters.stream()
            .filter(parameter -> parameter.constant().equals(name))
            .forEach(parameter -> weights.put(name, parameter));
      }
    }
  }

  /** The weights of the linear layers and convolutions, by constant, in order. */
  public Map<String, Parameter> weights() {
    return weights;
  }

  /** All that is trained, biases and scales among them. */
  public List<Parameter> parameters() {
    return parameters;
  }

  /**
   * Trains.
   *
   * @param pruning while training, or null
   * @return mean loss of each epoch
   * @throws InputException if the loss is not finite
   */
  public double[] train(LabelledSamples samples, Options options, Pruning pruning) {
    SplittableRandom random = new SplittableRandom(options.seed);
    Optimizer optimizer = new Optimizer.Momentum(parameters, options.momentum, options.decay, pool);
    int batches = Math.ceilDiv(samples.count(), options.batch);
    int steps = options.epochs * batches;
    double[] losses = new double[options.epochs];
    int step = 0;
    for (int epoch = 0; epoch < options.epochs; epoch++) {
      int[] order = shuffled(samples.count(), random);
      for (int from = 0; from < order.length; from += options.batch) {
        if (pruning != null && pruning.schedule.isDue(step)) {
          prune(pruning, step);
        }
        int to = Math.min(order.length, from + options.batch);
        double loss = step(samples, order, from, to);
        if (!Double.isFinite(loss)) {
          throw new InputException(
              "the loss became " + loss + " in epoch " + (epoch + 1), "choose a lower rate");
        }
        losses[epoch] += loss * (to - from) / order.length;
        optimizer.step(options.rate * (0.5 + 0.5 * Math.cos(Math.PI * step / steps)));
        step++;
      }
    }
    if (pruning != null && pruning.schedule.to() >= step) {
      throw new InputException(
          "training ended after "
              + step
              + " steps, pruning would end at step "
              + pruning.schedule.to(),
          "train longer or let pruning end sooner");
    }
    return losses;
  }

  private double step(LabelledSamples samples, int[] order, int from, int to) {
    Network.Trace trace = run(samples, order, from, to, true);
    Loss.Result loss = Loss.crossEntropy(trace.output(), samples.labels(order, from, to));
    trace.backward(Map.of(graph.outputs().getFirst().name(), loss.gradient()));
    return loss.value();
  }

  private Network.Trace run(
      LabelledSamples samples, int[] order, int from, int to, boolean needsGradient) {
    String input = graph.inputs().getFirst().name();
    Network.Batch batch = network.prepare(Map.of(input, samples.batch(order, from, to)));
    return network.run(network.whole(), batch, null, needsGradient);
  }

  /** Prunes the weights of least magnitude, as far as a schedule says. */
  private void prune(Pruning pruning, int step) {
    pruning.structures.forEach(
        (constant, structure) -> {
          Parameter parameter = weights.get(constant);
          if (parameter == null) {
            throw new InputException(
                "no layer has the weights '" + constant + "'",
                "the layers' weights are " + weights.keySet());
          }
          float[] scores = new float[parameter.values().length];
          for (int i = 0; i < scores.length; i++) {
            scores[i] = Math.abs(parameter.values()[i]);
          }
          Structure now = structure;
          if (structure instanceof Structure.Unstructured(double target, Structure.Scope scope)) {
            double sparsity = pruning.schedule.sparsity(target, step);
            if (sparsity == 0) {
              return;
            }
            now = new Structure.Unstructured(sparsity, scope);
          }
          parameter.prune(now.choose(scores, parameter.rows(), parameter.columns()));
        });
  }

  private static int[] shuffled(int count, SplittableRandom random) {
    int[] order = new int[count];
    for (int i = 0; i < count; i++) {
      int other = random.nextInt(i + 1);
      order[i] = order[other];
      order[other] = i;
    }
    return order;
  }

  /** Share of samples whose class is not the one of the highest score. */
  public double error(LabelledSamples samples) {
    int[] order = new int[samples.count()];
    for (int i = 0; i < order.length; i++) {
      order[i] = i;
    }
    int wrong = 0;
    for (int from = 0; from < order.length; from += EVALUATED_TOGETHER) {
      int to = Math.min(order.length, from + EVALUATED_TOGETHER);
      Signal scores = run(samples, order, from, to, false).output();
      for (int n = 0; n < to - from; n++) {
        int best = 0;
        for (int c = 1; c < scores.features(); c++) {
          boolean better =
              scores.data()[c * (to - from) + n] > scores.data()[best * (to - from) + n];
          best = better ? c : best;
        }
        wrong += best == samples.labels()[from + n] ? 0 : 1;
      }
    }
    return (double) wrong / samples.count();
  }

  @Override
  public void close() {
    network.close();
    pool.close();
  }
}
