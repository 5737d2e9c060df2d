package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.text.EncoderOptions;
import dev.filigree.text.SentenceEncoder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Texts embedded by a model, and what it took.
 *
 * @param vectors one for each text, of length 1
 * @param elapsedMillis of the first call, which plans and compiles
 * @param latencyMillis median of later calls; NaN where one call takes too long to repeat it
 * @param fileBytes of the model's file
 * @param weightBytes of its weights in their formats
 * @param device it ran on
 * @param kernels it ran with
 * @param threads it ran on
 */
record Embeddings(
    float[][] vectors,
    double elapsedMillis,
    double latencyMillis,
    long fileBytes,
    long weightBytes,
    String device,
    String kernels,
    int threads) {
  /** Time spent on repeating a call to learn its latency. */
  private static final double REPEAT_MILLIS = 1_000;

  static Embeddings of(
      Path file,
      SessionOptions session,
      EncoderOptions options,
      List<String> texts,
      Progress progress) {
    try (Model model = Model.open(file);
        SentenceEncoder encoder = SentenceEncoder.open(model, session, options)) {
      long start = System.nanoTime();
      float[][] vectors = encoder.embed(texts, progress);
      double elapsed = (System.nanoTime() - start) / 1e6;
      return new Embeddings(
          vectors,
          elapsed,
          latency(encoder, texts),
          Files.size(file),
          model.weightBytes(),
          encoder.session().device().toString(),
          encoder.session().kernels(),
          session.threads());
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  /**
   * Repeats the call for a second; the first half lets the JIT compiler settle, the median of the
   * second counts.
   */
  private static double latency(SentenceEncoder encoder, List<String> texts) {
    List<Double> millis = new ArrayList<>();
    long start = System.nanoTime();
    while ((System.nanoTime() - start) / 1e6 < REPEAT_MILLIS) {
      long before = System.nanoTime();
      encoder.embed(texts);
      millis.add((System.nanoTime() - before) / 1e6);
    }
    if (millis.size() < 4) {
      return Double.NaN;
    }
    double[] settled =
        millis.subList(millis.size() / 2, millis.size()).stream()
            .mapToDouble(Double::doubleValue)
            .sorted()
            .toArray();
    return settled[settled.length / 2];
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
