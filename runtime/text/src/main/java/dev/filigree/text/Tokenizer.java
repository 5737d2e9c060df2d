package dev.filigree.text;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Model;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** Turns texts into token ids the way the model was trained with. Thread-safe. */
final class Tokenizer implements AutoCloseable {
  /**
   * DJL looks for updates of its native libraries and reports its use over the network unless it is
   * told not to; this library never calls anybody.
   */
  private static final String OFFLINE = "ai.djl.offline";

  /**
   * What the tokenizer says of a text: {@code ids} with special tokens, and the segment of each
   * token.
   */
  record Tokens(long[] ids, long[] types) {
    int count() {
      return ids.length;
    }

    /** The first tokens of a text, with the last one kept: it ends every sequence. */
    Tokens cut(int most) {
      if (count() <= most) {
        return this;
      }
      long[] first = Arrays.copyOf(ids, most);
      first[most - 1] = ids[count() - 1];
      return new Tokens(first, Arrays.copyOf(types, most));
    }
  }

  private final HuggingFaceTokenizer tokenizer;

  /** Held for reading while the native tokenizer works: it must not be freed under it. */
  private final ReadWriteLock use = new ReentrantReadWriteLock();

  private boolean closed;

  private Tokenizer(HuggingFaceTokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /**
   * The tokenizer that came with a model.
   *
   * @throws FormatException if there is none or it cannot be read
   */
  static Tokenizer of(Model model) {
    MemorySegment document = model.documents().get(Model.TOKENIZER);
    if (document == null) {
      throw new FormatException(
          model.path() + " has no " + Model.TOKENIZER + " beside it or inside it",
          "put the model's " + Model.TOKENIZER + " into the same folder");
    }
    if (System.getProperty(OFFLINE) == null) {
      System.setProperty(OFFLINE, "true");
    }
    // texts are neither cut nor filled up here: what is too long must be noticed, and batches are
    // made later
    Map<String, String> options =
        Map.of(
            "padding", "DO_NOT_PAD", "truncation", "DO_NOT_TRUNCATE", "addSpecialTokens", "true");
    try {
      return new Tokenizer(
          HuggingFaceTokenizer.newInstance(
              new ByteArrayInputStream(document.toArray(DType.BYTE)), options));
    } catch (IOException | RuntimeException unreadable) {
      throw new FormatException(
          "the "
              + Model.TOKENIZER
              + " of "
              + model.path()
              + " cannot be read: "
              + unreadable.getMessage(),
          "use the file that was published with the model",
          unreadable);
    }
  }

  /**
   * Tokens of texts, in their order.
   *
   * @throws IllegalStateException if the tokenizer was closed
   */
  Tokens[] encode(List<String> texts) {
    use.readLock().lock();
    try {
      if (closed) {
        throw new IllegalStateException("the tokenizer was closed");
      }
      Encoding[] encodings = tokenizer.batchEncode(texts);
      Tokens[] tokens = new Tokens[encodings.length];
      for (int i = 0; i < tokens.length; i++) {
        tokens[i] = new Tokens(encodings[i].getIds(), encodings[i].getTypeIds());
      }
      return tokens;
    } finally {
      use.readLock().unlock();
    }
  }

  /**
   * The text of tokens, without special ones.
   *
   * @throws IllegalStateException if the tokenizer was closed
   */
  String decode(long[] ids) {
    use.readLock().lock();
    try {
      if (closed) {
        throw new IllegalStateException("the tokenizer was closed");
      }
      return ids.length == 0 ? "" : tokenizer.decode(ids, true);
    } finally {
      use.readLock().unlock();
    }
  }

  /** Waits for texts that are being read and frees the tokenizer. May be called again. */
  @Override
  public void close() {
    use.writeLock().lock();
    try {
      if (!closed) {
        closed = true;
        tokenizer.close();
      }
    } finally {
      use.writeLock().unlock();
    }
  }
}
