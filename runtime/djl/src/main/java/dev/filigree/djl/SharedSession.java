package dev.filigree.djl;

import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.text.EncoderOptions;
import dev.filigree.text.SentenceEncoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * One session for all models of a file, counted: DJL makes a model for each worker, and Spark one
 * for each partition, which must neither load the weights again nor keep them for ever. A session
 * that nobody holds is kept for a while, so that the next partition finds it. Thread-safe.
 */
final class SharedSession {
  /** What makes two loads the same; a file that was replaced is another one. */
  private record Key(Path file, FileTime written, SessionOptions options) {}

  private static final Map<Key, SharedSession> OPEN = new HashMap<>();

  private final Key key;
  private final Model model;
  private final Session session;
  private SentenceEncoder encoder;
  private int holders;

  /** Counts what happened, so that an idle check knows whether it is still the last word. */
  private long changes;

  private SharedSession(Key key, Model model, Session session) {
    this.key = key;
    this.model = model;
    this.session = session;
  }

  /** A part of a shared session. */
  static final class Lease implements AutoCloseable {
    private final SharedSession shared;
    private final Duration idle;
    private boolean closed;

    private Lease(SharedSession shared, Duration idle) {
      this.shared = shared;
      this.idle = idle;
    }

    Session session() {
      return shared.session;
    }

    /**
     * A text encoder over the session, one for all who hold it.
     *
     * @throws dev.filigree.FiligreeException if the model is no text encoder or has no tokenizer
     */
    SentenceEncoder encoder() {
      return shared.encoder();
    }

    /** Gives it back. May be called again. */
    @Override
    public void close() {
      synchronized (OPEN) {
        if (closed) {
          return;
        }
        closed = true;
        shared.holders--;
        long change = ++shared.changes;
        if (shared.holders == 0 && !idle.isZero()) {
          CompletableFuture.delayedExecutor(idle.toMillis(), TimeUnit.MILLISECONDS)
              .execute(() -> shared.closeUnless(change));
          return;
        }
      }
      shared.closeUnless(shared.changes);
    }
  }

  /**
   * A part of the session of a file, opened if nobody has it open.
   *
   * @throws dev.filigree.FiligreeException if the model cannot be opened
   */
  static Lease lease(Path file, ModelOptions options) throws IOException {
    Path real = file.toRealPath();
    Key key = new Key(real, Files.getLastModifiedTime(real), options.session());
    // loading under the lock: whoever wants the same file waits for it instead of loading it again
    synchronized (OPEN) {
      SharedSession shared = OPEN.get(key);
      if (shared == null) {
        shared = open(key);
        OPEN.put(key, shared);
      }
      shared.holders++;
      shared.changes++;
      return new Lease(shared, options.idle());
    }
  }

  private static SharedSession open(Key key) {
    Model model = Model.open(key.file);
    try {
      return new SharedSession(key, model, model.session(key.options));
    } catch (RuntimeException | Error failed) {
      model.close();
      throw failed;
    }
  }

  /** Sessions that are open now, held or kept. */
  static int open() {
    synchronized (OPEN) {
      return OPEN.size();
    }
  }

  private SentenceEncoder encoder() {
    synchronized (session) {
      if (encoder == null) {
        encoder = SentenceEncoder.over(session, EncoderOptions.DEFAULTS.withTruncation());
      }
      return encoder;
    }
  }

  private void closeUnless(long change) {
    synchronized (OPEN) {
      if (holders > 0 || changes != change || !OPEN.remove(key, this)) {
        return;
      }
    }
    session.close();
    if (encoder != null) {
      encoder.close();
    }
    model.close();
  }
}
