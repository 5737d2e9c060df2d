package dev.filigree.serve;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.thread.Scheduler;

/**
 * Takes the bodies of requests in, within bounds of size and time, and with one bound on the memory
 * of all that are being worked on. Thread-safe.
 */
final class Bodies {
  private static final int CHUNK = 1 << 16;

  /** Attribute of a request whose body has been read to its end. */
  private static final String READ = Bodies.class.getName();

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
    if (request.getLength() > 2L * most) {
      throw tooLarge();
    }
    long[] held = {0};
    try {
      return use.apply(read(request, scheduler, held));
    } finally {
      taken.addAndGet(-held[0]);
    }
  }

  /** Whether nothing of a request is left on its connection. */
  static boolean isRead(Request request) {
    HttpFields headers = request.getHeaders();
    boolean hasBody =
        headers.getLongField(HttpHeader.CONTENT_LENGTH) > 0
            || headers.contains(HttpHeader.TRANSFER_ENCODING);
    return !hasBody || request.getAttribute(READ) != null;
  }

  private byte[] read(Request request, Scheduler scheduler, long[] held) {
    Scheduler.Task timer =
        scheduler.schedule(
            () -> request.fail(new TimeoutException("the body took too long")),
            time.toMillis(),
            TimeUnit.MILLISECONDS);
    long size = 0;
    try (InputStream in = Content.Source.asInputStream(request)) {
      ByteArrayOutputStream body = new ByteArrayOutputStream(CHUNK);
      byte[] chunk = new byte[CHUNK];
      for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
        size += count;
        if (size <= most) {
          hold(count, held);
          body.write(chunk, 0, count);
        } else if (size > 2L * most) {
          throw tooLarge();
        }
      }
      request.setAttribute(READ, true);
      // what is only a little too large is read and forgotten: many senders listen only afterwards
      if (size > most) {
        throw tooLarge();
      }
      return body.toByteArray();
    } catch (IOException broken) {
      if (size > most) {
        throw tooLarge();
      }
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
