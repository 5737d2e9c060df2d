package dev.filigree.serve;

import dev.filigree.InputException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;

/**
 * How a server listens and what it refuses. Immutable; every {@code with} method checks its value.
 * The token is not shown by {@link #toString}.
 *
 * @param host address to listen at
 * @param port to listen at; 0 for any that is free
 * @param token that every request must carry, or null for none
 * @param certificate chain in PEM for TLS, or null for plain HTTP
 * @param key of the certificate in PEM, or null
 * @param maxBody bytes of a request's body; more is answered 413
 * @param maxBodies bytes of all bodies at once; more is answered 503
 * @param maxConnections open at once; more wait until one ends
 * @param maxTexts of one embedding request
 * @param bodyTime time in which a request must have arrived whole, else it is answered 408
 * @param deadline time in which a request must be done, else it is answered 504
 * @param drain time that requests in flight are given when the server closes
 * @param reload whether a request may have a model's file read anew
 * @param truncate whether texts longer than a model takes are cut
 */
public record ServerOptions(
    String host,
    int port,
    String token,
    Path certificate,
    Path key,
    int maxBody,
    long maxBodies,
    int maxConnections,
    int maxTexts,
    Duration bodyTime,
    Duration deadline,
    Duration drain,
    boolean reload,
    boolean truncate) {
  public ServerOptions {
    Objects.requireNonNull(host, "host");
    check("port", port, 0, 65_535);
    check("maxBody", maxBody, 1 << 10, 1 << 30);
    check("maxBodies", maxBodies, maxBody, Long.MAX_VALUE);
    check("maxConnections", maxConnections, 1, 1 << 16);
    check("maxTexts", maxTexts, 1, 1 << 16);
    check("bodyTime", bodyTime.toMillis(), 1, 3_600_000);
    check("deadline", deadline.toMillis(), 1, 3_600_000);
    check("drain", drain.toMillis(), 0, 3_600_000);
    if ((certificate == null) != (key == null)) {
      throw new InputException(
          "option " + (key == null ? "key" : "certificate") + " is missing",
          "TLS takes both the certificate and its key");
    }
    if (token != null) {
      new Token(token);
    }
  }

  /**
   * This machine only, port 8080, no token, no TLS; bodies of 16 MiB, 256 MiB of them at once, 1024
   * connections, 2048 texts, 30 seconds for each of body, answer and drain.
   */
  public static ServerOptions defaults() {
    Duration halfMinute = Duration.ofSeconds(30);
    return new ServerOptions(
        "127.0.0.1",
        8080,
        null,
        null,
        null,
        16 << 20,
        256L << 20,
        1024,
        2048,
        halfMinute,
        halfMinute,
        halfMinute,
        false,
        false);
  }

  public ServerOptions withAddress(String address, int number) {
    return new ServerOptions(
        address,
        number,
        token,
        certificate,
        key,
        maxBody,
        maxBodies,
        maxConnections,
        maxTexts,
        bodyTime,
        deadline,
        drain,
        reload,
        truncate);
  }

  public ServerOptions withToken(String secret) {
    return new ServerOptions(
        host,
        port,
        secret,
        certificate,
        key,
        maxBody,
        maxBodies,
        maxConnections,
        maxTexts,
        bodyTime,
        deadline,
        drain,
        reload,
        truncate);
  }

  public ServerOptions withTls(Path chain, Path secret) {
    return new ServerOptions(
        host,
        port,
        token,
        chain,
        secret,
        maxBody,
        maxBodies,
        maxConnections,
        maxTexts,
        bodyTime,
        deadline,
        drain,
        reload,
        truncate);
  }

  /** Other bounds of what is accepted. */
  public ServerOptions withLimits(int body, long bodies, int connections, int texts) {
    return new ServerOptions(
        host,
        port,
        token,
        certificate,
        key,
        body,
        bodies,
        connections,
        texts,
        bodyTime,
        deadline,
        drain,
        reload,
        truncate);
  }

  /** Other times: for a body to arrive, for an answer, for the drain at the end. */
  public ServerOptions withTimes(Duration body, Duration answer, Duration end) {
    return new ServerOptions(
        host,
        port,
        token,
        certificate,
        key,
        maxBody,
        maxBodies,
        maxConnections,
        maxTexts,
        body,
        answer,
        end,
        reload,
        truncate);
  }

  public ServerOptions withReload(boolean allowed) {
    return new ServerOptions(
        host,
        port,
        token,
        certificate,
        key,
        maxBody,
        maxBodies,
        maxConnections,
        maxTexts,
        bodyTime,
        deadline,
        drain,
        allowed,
        truncate);
  }

  public ServerOptions withTruncation(boolean cut) {
    return new ServerOptions(
        host,
        port,
        token,
        certificate,
        key,
        maxBody,
        maxBodies,
        maxConnections,
        maxTexts,
        bodyTime,
        deadline,
        drain,
        reload,
        cut);
  }

  private static void check(String option, long value, long least, long most) {
    if (value < least || value > most) {
      throw new InputException(
          "option " + option + " is " + value, "choose a number from " + least + " to " + most);
    }
  }

  @Override
  public String toString() {
    return "ServerOptions["
        + (certificate == null ? "http" : "https")
        + ", "
        + host
        + ":"
        + port
        + (token == null ? "" : ", token")
        + "]";
  }
}
