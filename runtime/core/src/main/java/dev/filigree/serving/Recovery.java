package dev.filigree.serving;

import dev.filigree.Device;
import dev.filigree.DeviceException;
import dev.filigree.FiligreeException;
import dev.filigree.RejectedException;
import dev.filigree.event.Flight;

/**
 * Brings a model back whose device failed: what was on the device is freed, then the file is read
 * again and loaded on the same device, after some failures on the CPU if the policy permits it, and
 * so on, at growing intervals, until it succeeds or nobody wants it any more. Runs in a thread of
 * its own.
 */
final class Recovery implements Runnable {
  private static final System.Logger LOG = System.getLogger("dev.filigree");

  /** Failures of the device in a row after which it is not expected to come back by itself. */
  private static final int TRIES = 3;

  private static final long FIRST_PAUSE_MILLIS = 100;
  private static final long LONGEST_PAUSE_MILLIS = 30_000;

  /** How long requests in flight may hold on to what was lost before it is loaded beside them. */
  private static final long FREEING_MILLIS = 10_000;

  /** A version that served for longer has proved the device: what failed before counts no more. */
  private static final long PROOF_NANOS = 60_000_000_000L;

  private final ModelHost host;
  private final LossPolicy policy;
  private final HostedModel lost;
  private volatile String reason;

  Recovery(ModelHost host, LossPolicy policy, HostedModel lost, DeviceException cause) {
    this.host = host;
    this.policy = policy;
    this.lost = lost;
    this.reason = cause.problem();
  }

  /** The version whose device failed. */
  HostedModel lost() {
    return lost;
  }

  /** Why the model is not there: the last failure. */
  String reason() {
    return reason;
  }

  @Override
  public void run() {
    int failures = System.nanoTime() - lost.opened > PROOF_NANOS ? 0 : lost.losses;
    host.awaitClosed(lost, FREEING_MILLIS);
    while (host.isWanted(this)) {
      if (failures > 0 && !host.pause(this, pauseMillis(failures))) {
        return;
      }
      failures++;
      boolean onCpu = policy == LossPolicy.CPU && failures > TRIES;
      try {
        host.recover(this, onCpu ? Device.cpu() : lost.session.device(), failures);
        if (onCpu) {
          reportCpu();
        }
        return;
      } catch (RejectedException closed) {
        if (closed.kind() == RejectedException.Kind.CLOSED) {
          return;
        }
        note(closed);
      } catch (RuntimeException | Error failed) {
        // whatever it was: a thread that ended here would leave the model refused for ever
        note(failed);
      }
    }
  }

  private void note(Throwable failed) {
    reason = failed instanceof FiligreeException known ? known.problem() : failed.toString();
    LOG.log(System.Logger.Level.WARNING, "{0} cannot be loaded again yet: {1}", lost.name, reason);
  }

  private void reportCpu() {
    Flight.fallback(
        "cpu instead of " + lost.session.device() + " for " + lost.name,
        reason,
        "mend the device and load the model again");
    LOG.log(
        System.Logger.Level.WARNING,
        "{0} is served from the cpu until it is loaded again; {1} failed: {2}",
        lost.name,
        lost.session.device(),
        reason);
  }

  private static long pauseMillis(int failures) {
    return Math.min(LONGEST_PAUSE_MILLIS, FIRST_PAUSE_MILLIS << Math.min(2 * (failures - 1), 16));
  }
}
