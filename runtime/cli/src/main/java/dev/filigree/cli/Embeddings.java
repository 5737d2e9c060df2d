package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.text.EncoderOptions;
import dev.filigree.text.SentenceEncoder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Texts embedded by a model, and what it took.
 *
 * @param recipe the model was compressed with
 * @param vectors one for each text, of length 1
 * @param elapsedMillis of the first call, which plans and compiles
 * @param latencyMillis median of later calls; NaN before it is measured, and where one call takes
 *     too long to repeat it
 * @param fileBytes of the model's file
 * @param weightBytes of its weights in their formats
 * @param device it ran on
 * @param kernels it ran with
 * @param threads it ran on
 */
record Embeddings(
    String recipe,
    float[][] vectors,
    double elapsedMillis,
    double latencyMillis,
    long fileBytes,
    long weightBytes,
    String device,
    String kernels,
    int threads) {
  /** Time spent on repeating the call of one model to learn its latency. */
  private static final double REPEAT_MILLIS = 1_000;

  /** Calls that a latency needs at least. */
  private static final int MIN_ROUNDS = 4;

  /** A model's encoder while it is used. */
  private record Running(Path file, Model model, SentenceEncoder encoder) implements AutoCloseable {
    static Running open(Path file, SessionOptions session, EncoderOptions options) {
      Model model = Model.open(file);
      try {
        return new Running(file, model, SentenceEncoder.open(model, session, options));
      } catch (RuntimeException | Error failed) {
        model.close();
        throw failed;
      }
    }

    Embeddings embed(List<String> texts, int threads, Progress progress) throws IOException {
      long start = System.nanoTime();
      float[][] vectors = encoder.embed(texts, progress);
      return new Embeddings(
          Models.recipe(model),
          vectors,
          (System.nanoTime() - start) / 1e6,
          Double.NaN,
          Models.bytes(file),
          model.weightBytes(),
          encoder.session().device().toString(),
          encoder.session().kernels(),
          threads);
    }

    @Override
    public void close() {
      encoder.close();
      model.close();
    }
  }

  /**
   * Embeds texts with several models.
   *
   * @param files of the models
   * @param known hears the results, one for each model, before their latencies are measured
   * @return the results with their latencies
   */
  static List<Embeddings> of(
      List<Path> files,
      SessionOptions session,
      EncoderOptions options,
      List<String> texts,
      Progress progress,
      Consumer<List<Embeddings>> known) {
    List<Running> running = new ArrayList<>();
    try {
      List<Embeddings> results = new ArrayList<>();
      for (Path file : files) {
        running.add(Running.open(file, session, options));
        results.add(running.getLast().embed(texts, session.threads(), progress));
      }
      known.accept(results);
      double[] latencies = latencies(running, texts, progress);
      for (int i = 0; i < latencies.length; i++) {
        results.set(i, results.get(i).withLatency(latencies[i]));
      }
      return results;
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    } finally {
      running.forEach(Running::close);
    }
  }

  /**
   * Repeats the call with all models in alternation, so that the JIT compiler and other users of
   * the machine hit all alike. The first half of the calls lets the compiler settle, the median of
   * the second counts.
   */
  private static double[] latencies(List<Running> running, List<String> texts, Progress progress) {
    List<double[]> rounds = new ArrayList<>();
    double limit = REPEAT_MILLIS * running.size();
    long start = System.nanoTime();
    for (double spent = 0; spent < limit; spent = (System.nanoTime() - start) / 1e6) {
      progress.at("measuring latency (ms)", (long) spent, (long) limit);
      double[] round = new double[running.size()];
      for (int i = 0; i < round.length; i++) {
        long before = System.nanoTime();
        running.get(i).encoder.embed(texts);
        round[i] = (System.nanoTime() - before) / 1e6;
      }
      rounds.add(round);
    }
    double[] latencies = new double[running.size()];
    for (int i = 0; i < latencies.length; i++) {
      int model = i;
      double[] settled =
          rounds.stream()
              .skip(rounds.size() / 2)
              .mapToDouble(round -> round[model])
              .sorted()
              .toArray();
      latencies[i] = rounds.size() < MIN_ROUNDS ? Double.NaN : settled[settled.length / 2];
    }
    return latencies;
  }

  private Embeddings withLatency(double millis) {
    return new Embeddings(
        recipe, vectors, elapsedMillis, millis, fileBytes, weightBytes, device, kernels, threads);
  }

  /** The vectors as a matrix. */
  Tensor tensor() {
    int features = vectors[0].length;
    float[] all = new float[vectors.length * features];
    for (int i = 0; i < vectors.length; i++) {
      System.arraycopy(vectors[i], 0, all, i * features, features);
    }
    return Tensor.of(all, vectors.length, features);
  }

  /** Cosine of two of the texts. */
  double cosine(int i, int j) {
    return SentenceEncoder.cosine(vectors[i], vectors[j]);
  }
}
