package dev.filigree.serving;

import dev.filigree.DeviceException;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.UnsupportedException;
import java.nio.file.Path;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * One version of a model that is served. It closes itself when it is retired and its last lease
 * ends. Thread-safe.
 */
final class HostedModel {
  private static final System.Logger LOG = System.getLogger("dev.filigree");

  final String name;

  /** What was asked for, to be read again if the device is lost. */
  final Path path;

  final ModelHost.Preparation preparation;
  final Model model;
  final Session session;
  final Batcher batcher;
  final boolean batched;

  /** What lives as long as this version, or null; set before it is served. */
  AutoCloseable companion;

  /** Set before it is served. */
  int version = 1;

  /** Why it does not serve as was asked for, or empty; set before it is served. */
  String note = "";

  /** How often in a row the device was lost before this version; set before it is served. */
  int losses;

  /** {@link System#nanoTime} when it was opened. */
  final long opened = System.nanoTime();

  private final Consumer<HostedModel> whenClosed;
  private int leases = 1;
  private boolean retired;

  /**
   * A version.
   *
   * @param model becomes its to close once this has succeeded
   * @param whenClosed hears when all is closed
   * @param whenLost hears when the session's device is gone; more than once
   */
  HostedModel(
      String name,
      Path path,
      ModelHost.Preparation preparation,
      Model model,
      Session session,
      BatchOptions batching,
      Consumer<HostedModel> whenClosed,
      BiConsumer<HostedModel, DeviceException> whenLost) {
    this.name = name;
    this.path = path;
    this.preparation = preparation;
    this.model = model;
    this.session = session;
    this.whenClosed = whenClosed;
    Batcher chosen;
    try {
      chosen = Batcher.over(session, batching, lost -> whenLost.accept(this, lost));
    } catch (UnsupportedException alone) {
      LOG.log(
          System.Logger.Level.INFO,
          "requests to {0} run one at a time: {1}",
          name,
          alone.problem());
      chosen = Batcher.oneByOne(session, batching, lost -> whenLost.accept(this, lost));
    }
    this.batcher = chosen;
    this.batched = chosen.isBatching();
  }

  /** Bytes its weights take, as they are and laid out. */
  long bytes() {
    return model.weightBytes() + session.packedBytes();
  }

  synchronized void lease() {
    leases++;
  }

  /** Ends it as soon as its last lease has ended. */
  synchronized void retire() {
    if (!retired) {
      retired = true;
      release();
    }
  }

  synchronized void release() {
    if (--leases == 0) {
      // a leader of the batcher may be the one that releases, so another thread waits for it
      Thread.ofVirtual().start(this::close);
    }
  }

  /**
   * Each part is closed whatever becomes of the others: a device that is gone refuses even that.
   */
  private void close() {
    try {
      batcher.close();
      close("the session", session);
      if (companion != null) {
        close("what belongs to it", companion);
      }
      close("the file", model);
    } finally {
      whenClosed.accept(this);
    }
  }

  private void close(String what, AutoCloseable part) {
    try {
      part.close();
    } catch (Exception failed) {
      LOG.log(
          System.Logger.Level.WARNING,
          what + " of " + name + " version " + version + " (" + path + ") could not be closed",
          failed);
    }
  }
}
