package dev.filigree.it.flink;

import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.serving.BatchOptions;
import dev.filigree.serving.Batcher;
import dev.filigree.text.EncoderOptions;
import dev.filigree.text.SentenceModel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * A model that all tasks of a task manager share, loaded by the first and closed by the last. What
 * tasks ask for at the same time runs together. Thread-safe.
 */
final class SharedModel {
  private static final Map<String, SharedModel> OPEN = new HashMap<>();

  private final String path;
  private final Model model;
  private final Session session;
  private final Batcher batcher;
  private final SentenceModel texts;
  private int holders;

  private SharedModel(String path, int waiting) {
    this.path = path;
    model = Model.open(Path.of(path));
    try {
      session = model.session(SessionOptions.defaults());
      batcher = Batcher.over(session, BatchOptions.defaults().withMaxQueue(waiting));
      texts =
          SentenceModel.fits(model)
              ? SentenceModel.open(model, EncoderOptions.DEFAULTS.withTruncation())
              : null;
    } catch (RuntimeException | Error failed) {
      model.close();
      throw failed;
    }
  }

  /**
   * The model of a file, to be given back with {@link #release}.
   *
   * @param path of a model
   * @param waiting requests that may wait; as many as all tasks may have under way
   */
  static SharedModel acquire(String path, int waiting) {
    // loading under the lock: who wants the same file waits for it instead of loading it again
    synchronized (OPEN) {
      SharedModel shared = OPEN.computeIfAbsent(path, file -> new SharedModel(file, waiting));
      shared.holders++;
      return shared;
    }
  }

  void release() {
    synchronized (OPEN) {
      if (--holders > 0) {
        return;
      }
      OPEN.remove(path);
      batcher.close();
      if (texts != null) {
        texts.close();
      }
      session.close();
      model.close();
    }
  }

  /** The vector of a text, from a model that is a text encoder. */
  CompletableFuture<float[]> embed(String text) {
    SentenceModel.Batch batch = texts.batch(List.of(text));
    return batcher.submit(batch.inputs()).thenApply(outputs -> texts.vectors(batch, outputs)[0]);
  }

  /** What a model with one input f32 [batch, features] makes of a vector. */
  CompletableFuture<float[]> run(float[] vector) {
    String input = model.inputs().getFirst().name();
    String output = model.outputs().getFirst().name();
    return batcher
        .submit(Map.of(input, Tensor.of(vector, 1, vector.length)))
        .thenApply(outputs -> outputs.get(output).toFloats());
  }
}
