package dev.filigree.text;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;

/**
 * Turns sentences into vectors with a text encoder such as all-MiniLM-L6-v2, on a session; see
 * {@link SentenceModel} for how. Thread-safe.
 */
public final class SentenceEncoder implements AutoCloseable {
  private final Session session;
  private final boolean owned;
  private final SentenceModel sentences;

  private SentenceEncoder(Session session, boolean owned, SentenceModel sentences) {
    this.session = session;
    this.owned = owned;
    this.sentences = sentences;
  }

  /**
   * Opens an encoder on the fastest device with all processors.
   *
   * @param model a text encoder with its tokenizer; stays the caller's to close
   * @throws UnsupportedException if the model is no text encoder
   * @throws dev.filigree.FormatException if it has no tokenizer
   */
  public static SentenceEncoder open(Model model) {
    return open(model, SessionOptions.defaults(), EncoderOptions.DEFAULTS);
  }

  /**
   * Opens an encoder.
   *
   * @param model a text encoder with its tokenizer
   * @throws UnsupportedException if the model is no text encoder
   * @throws dev.filigree.FormatException if it has no tokenizer
   */
  public static SentenceEncoder open(Model model, SessionOptions session, EncoderOptions options) {
    SentenceModel.check(model);
    // what a session does before it needs the graph, this thread does while the graph is made
    Future<Session> opening = Callers.beside(() -> model.session(session));
    SentenceModel sentences;
    try {
      sentences = SentenceModel.open(model, options);
    } catch (RuntimeException | Error failed) {
      closeOpened(opening, failed);
      throw failed;
    }
    try {
      return new SentenceEncoder(Callers.await(opening), true, sentences);
    } catch (RuntimeException | Error failed) {
      sentences.close();
      throw failed;
    }
  }

  private static void closeOpened(Future<Session> opening, Throwable failed) {
    try {
      Callers.await(opening).close();
    } catch (RuntimeException | Error failedToo) {
      failed.addSuppressed(failedToo);
    }
  }

  /**
   * Opens an encoder over a session that others use too.
   *
   * @param session of a text encoder with its tokenizer; stays the caller's to close
   * @throws UnsupportedException if the model is no text encoder
   * @throws dev.filigree.FormatException if it has no tokenizer
   */
  public static SentenceEncoder over(Session session, EncoderOptions options) {
    return new SentenceEncoder(session, false, SentenceModel.open(session.model(), options));
  }

  /** The session it runs on. */
  public Session session() {
    return session;
  }

  /** Tokens of the longest text it takes, special tokens included. */
  public int limit() {
    return sentences.limit();
  }

  /**
   * Encodes texts.
   *
   * @return a vector of length 1 for each text, in their order
   * @throws InputException if a text is longer than the model's limit and is not to be cut
   */
  public float[][] embed(List<String> texts) {
    return embed(texts, Progress.NONE);
  }

  /** Encodes texts and tells how many are done. */
  public float[][] embed(List<String> texts, Progress progress) {
    return embedded(texts, progress).vectors();
  }

  /** Encodes texts and counts their tokens; see {@link #embed}. */
  public SentenceModel.Embedded embedded(List<String> texts, Progress progress) {
    int callers = Math.min(session.options().threads(), session.options().concurrentRuns());
    return sentences.embed(texts, session::run, progress, callers);
  }

  /** Inputs of the model for some texts; see {@link SentenceModel#batch}. */
  public SentenceModel.Batch batch(List<String> texts) {
    return sentences.batch(texts);
  }

  /** Vectors from what the model made of a batch; see {@link SentenceModel#vectors}. */
  public float[][] vectors(SentenceModel.Batch batch, Map<String, Tensor> outputs) {
    return sentences.vectors(batch, outputs);
  }

  /** Inputs of the model for some texts; see {@link SentenceModel#inputs}. */
  public Map<String, Tensor> inputs(List<String> texts) {
    return sentences.inputs(texts);
  }

  /** Cosine of two vectors of length 1. */
  public static double cosine(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }

  @Override
  public void close() {
    if (owned) {
      session.close();
    }
    sentences.close();
  }
}
