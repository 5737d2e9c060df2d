package dev.filigree.serve;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.thread.Scheduler;

/**
 * Takes the bodies of requests in, within bounds of size and time, and with one bound on the memory
 * of all that are being worked on. Thread-safe.
 */
final class Bodies {
  private static final int CHUNK = 1 << 16;

  private final int most;
  private final long mostOfAll;
  private final Duration time;
  private final AtomicLong taken = new AtomicLong();

  Bodies(ServerOptions options) {
    this.most = options.maxBody();
    this.mostOfAll = options.maxBodies();
    this.time = options.bodyTime();
  }

  /** Bytes of the bodies that are in memory now. */
  long taken() {
    return taken.get();
  }

  /**
   * Does something with the body of a request.
   *
   * @throws HttpFailure if the body is too large, too slow, or too much with all others
   */
  <T> T with(Request request, Scheduler scheduler, Function<byte[], T> use) {
    long announced = request.getLength();
    if (announced > most) {
      throw tooLarge();
    }
    long[] held = {0};
    try {
      return use.apply(read(request, scheduler, held));
    } finally {
      taken.addAndGet(-held[0]);
    }
  }

  private byte[] read(Request request, Scheduler scheduler, long[] held) {
    Scheduler.Task timer =
        scheduler.schedule(
            () -> request.fail(new TimeoutException("the body took too long")),
            time.toMillis(),
            TimeUnit.MILLISECONDS);
    try (InputStream in = Content.Source.asInputStream(request)) {
      ByteArrayOutputStream body = new ByteArrayOutputStream(CHUNK);
      byte[] chunk = new byte[CHUNK];
      for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
        if (body.size() + (long) count > most) {
          throw tooLarge();
        }
        hold(count, held);
        body.write(chunk, 0, count);
      }
      return body.toByteArray();
    } catch (IOException broken) {
      if (isTimeout(broken)) {
        throw new HttpFailure(
            408, "the request did not arrive within " + time.toMillis() + " ms; send it faster");
      }
      throw HttpFailure.bad("the body ended early or is malformed");
    } finally {
      timer.cancel();
    }
  }

  private static boolean isTimeout(Throwable cause) {
    for (Throwable each = cause; each != null; each = each.getCause()) {
      if (each instanceof TimeoutException) {
        return true;
      }
    }
    return false;
  }

  private void hold(int bytes, long[] held) {
    held[0] += bytes;
    if (taken.addAndGet(bytes) > mostOfAll) {
      throw new HttpFailure(
          503, "requests of " + mostOfAll + " bytes are being worked on already; try again later");
    }
  }

  private HttpFailure tooLarge() {
    return new HttpFailure(413, "the body is larger than " + most + " bytes; send less at once");
  }
}
