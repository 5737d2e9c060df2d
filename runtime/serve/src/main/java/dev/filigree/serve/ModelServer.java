package dev.filigree.serve;

import dev.filigree.OutputException;
import dev.filigree.SessionOptions;
import dev.filigree.serving.BatchOptions;
import dev.filigree.serving.LossPolicy;
import dev.filigree.serving.ModelHost;
import dev.filigree.text.EncoderOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.NetworkConnectionLimit;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.server.handler.GracefulHandler;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;

/**
 * Serves models over HTTP: the Open Inference Protocol (KServe v2, REST, with binary tensors), and
 * embeddings as OpenAI's clients ask for them; with metrics for Prometheus and a status page.
 * Requests of all connections run together in batches. Thread-safe.
 */
public final class ModelServer implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("dev.filigree");

  /** Threads that accept and select; requests run in virtual threads. */
  private static final int THREADS = 32;

  private static final int HEADER_BYTES = 8 << 10;

  /** After which a connection that neither sends nor reads is closed. */
  private static final long IDLE_MILLIS = 60_000;

  private final ServerOptions options;
  private final ServedModels models;
  private final Server jetty;
  private final ServerConnector connector;
  private final Endpoints endpoints;
  private final Statistics statistics;
  private ScheduledExecutorService clock;
  private URI uri;
  private boolean closed;

  /**
   * A server that does not listen yet and has no models.
   *
   * @param session options of every model's session
   * @param batching how requests are put together
   * @param maxBytes bytes that the weights of all models may take
   * @throws dev.filigree.FormatException if certificate or key cannot be used
   */
  public ModelServer(
      ServerOptions options, SessionOptions session, BatchOptions batching, long maxBytes) {
    this(options, session, batching, maxBytes, LossPolicy.CPU);
  }

  /**
   * A server that does not listen yet and has no models.
   *
   * @param session options of every model's session
   * @param batching how requests are put together
   * @param maxBytes bytes that the weights of all models may take
   * @param policy for models whose device failed
   * @throws dev.filigree.FormatException if certificate or key cannot be used
   */
  public ModelServer(
      ServerOptions options,
      SessionOptions session,
      BatchOptions batching,
      long maxBytes,
      LossPolicy policy) {
    this.options = options;
    QueuedThreadPool threads = new QueuedThreadPool(THREADS);
    threads.setName("filigree-http");
    threads.setVirtualThreadsExecutor(
        task -> Thread.ofVirtual().name("filigree-request").start(task));
    this.jetty = new Server(threads);
    this.connector = connector(jetty, options);
    ModelHost host = new ModelHost(session, batching, maxBytes, policy);
    this.models =
        new ServedModels(
            host, new EncoderOptions(batching.maxBatch(), options.truncate()), batching.maxBatch());
    this.statistics = new Statistics(host);
    this.endpoints =
        new Endpoints(models, options, new Bodies(options), statistics, connector.getScheduler());
    Token token = options.token() == null ? null : new Token(options.token());
    jetty.setHandler(new GracefulHandler(new RequestHandler(token, endpoints, statistics)));
    jetty.setErrorHandler(new ErrorReplies(statistics));
    jetty.addBean(new NetworkConnectionLimit(options.maxConnections(), jetty));
    jetty.setStopTimeout(options.drain().toMillis());
    jetty.setStopAtShutdown(false);
  }

  private static ServerConnector connector(Server jetty, ServerOptions options) {
    HttpConfiguration http = new HttpConfiguration();
    http.setSendServerVersion(false);
    http.setRequestHeaderSize(HEADER_BYTES);
    HttpConnectionFactory plain = new HttpConnectionFactory(http);
    ServerConnector connector;
    if (options.certificate() == null) {
      connector = new ServerConnector(jetty, plain);
    } else {
      http.addCustomizer(new SecureRequestCustomizer(false));
      SslContextFactory.Server tls = new SslContextFactory.Server();
      tls.setKeyStore(Pem.keyStore(options.certificate(), options.key()));
      tls.setKeyStorePassword("");
      tls.setIncludeProtocols("TLSv1.3", "TLSv1.2");
      connector =
          new ServerConnector(
              jetty, new SslConnectionFactory(tls, HttpVersion.HTTP_1_1.asString()), plain);
    }
    connector.setHost(options.host());
    connector.setPort(options.port());
    connector.setIdleTimeout(IDLE_MILLIS);
    jetty.addConnector(connector);
    return connector;
  }

  /**
   * Opens a model under a name, or replaces the one that is served under it while requests go on.
   *
   * @return its version
   * @throws dev.filigree.FiligreeException if it cannot be opened or does not fit the memory
   */
  public int load(String name, Path file) {
    return models.load(name, file);
  }

  /**
   * Begins to listen.
   *
   * @throws OutputException if the address is taken or not this machine's
   */
  public synchronized void start() {
    try {
      jetty.start();
    } catch (IOException taken) {
      stopWithoutDrain();
      throw new OutputException(
          "the server cannot listen at "
              + options.host()
              + ":"
              + options.port()
              + " ("
              + taken.getMessage()
              + ")",
          "choose another --port or --host, or end what listens there",
          taken);
    } catch (Exception failed) {
      stopWithoutDrain();
      throw new OutputException(
          "the server cannot start (" + failed.getMessage() + ")", "see the log", failed);
    }
    String host = options.host().contains(":") ? "[" + options.host() + "]" : options.host();
    uri =
        URI.create(
            (options.certificate() == null ? "http://" : "https://")
                + host
                + ":"
                + connector.getLocalPort());
    SlowHeaders slow = new SlowHeaders(connector, options.bodyTime().toNanos());
    clock =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("filigree-clock").factory());
    clock.scheduleAtFixedRate(() -> tick(slow), 1, 1, TimeUnit.SECONDS);
    LOG.log(System.Logger.Level.INFO, "listening at {0}", uri());
  }

  /** What never began to listen would wait for the end of nothing. */
  private void stopWithoutDrain() {
    jetty.setStopTimeout(0);
  }

  private void tick(SlowHeaders slow) {
    try {
      statistics.tick();
      slow.tick();
    } catch (RuntimeException failed) {
      // one that escapes would end the clock in silence
      LOG.log(System.Logger.Level.WARNING, "the clock of the server failed", failed);
    }
  }

  /** Where it listens, or listened; null before it was started. */
  public synchronized URI uri() {
    return uri;
  }

  /** The models it serves. */
  public ModelHost host() {
    return models.host();
  }

  /** Version of this library as its jar tells it. */
  static String version() {
    String version = ModelServer.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  /**
   * Says that it is not ready, takes no more connections, finishes requests in flight for as long
   * as the options allow, and closes everything. May be called again.
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    endpoints.drain();
    try {
      jetty.stop();
    } catch (Exception late) {
      LOG.log(
          System.Logger.Level.WARNING, "requests were not done within {0}", options.drain(), late);
    }
    if (clock != null) {
      clock.shutdownNow();
    }
    models.close();
    LOG.log(System.Logger.Level.INFO, "the server was closed");
  }
}
