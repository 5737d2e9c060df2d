package dev.filigree.cli;

import dev.filigree.FiligreeException;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.SessionOptions;
import dev.filigree.serve.ModelServer;
import dev.filigree.serve.ServerOptions;
import dev.filigree.serving.BatchOptions;
import dev.filigree.serving.LossPolicy;
import dev.filigree.serving.ModelHost;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Serves models over HTTP. */
@Command(
    name = "serve",
    description = {
      "Serve models over HTTP: the Open Inference Protocol (/v2), embeddings as OpenAI's clients"
          + " ask for them (/v1/embeddings), /metrics, and a status page (/).",
      "SIGTERM ends it when the requests in flight are done."
    },
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree serve minilm --recipe int8",
      "  filigree serve text=minilm ranker=ranker.onnx --host 0.0.0.0 \\",
      "      --token-file token --tls-cert chain.pem --tls-key key.pem"
    })
final class ServeCommand implements Callable<Integer> {
  /** Environment variable that holds the token. */
  static final String TOKEN = "FILIGREE_TOKEN";

  /** Plans kept: every size of batch of the usual lengths. */
  private static final int SHAPES = 512;

  /** Options of the library that have another name here. */
  private static final Map<String, String> OPTIONS =
      Map.of(
          "port", "--port",
          "key", "--tls-key",
          "certificate", "--tls-cert",
          "maxBatch", "--max-batch",
          "maxDelay", "--max-delay-micros",
          "maxQueue", "--max-queue",
          "maxBody", "--max-body-mb",
          "maxConnections", "--max-connections",
          "maxTexts", "--max-texts",
          "deadline", "--deadline");

  private static final long MEGABYTE = 1_000_000;

  @Spec private CommandSpec spec;

  @Parameters(
      arity = "1..*",
      paramLabel = "MODEL",
      description = "Models as other commands take them; NAME=MODEL serves one under a name.")
  private List<String> models;

  @Mixin private Common.Runtime runtime;
  @Mixin private Common.Compressed compressed;

  @Option(
      names = "--host",
      paramLabel = "H",
      defaultValue = "127.0.0.1",
      description = "Address to listen at (default: 127.0.0.1, this machine only).")
  private String host;

  @Option(
      names = "--port",
      paramLabel = "P",
      defaultValue = "8080",
      description = "Port to listen at; 0 for any (default: 8080).")
  private int port;

  @Option(
      names = "--token-file",
      paramLabel = "F",
      description = "File with the token that requests must carry; or set " + TOKEN + ".")
  private Path tokenFile;

  @Option(
      names = "--tls-cert",
      paramLabel = "F",
      description = "Certificate chain in PEM; makes it HTTPS.")
  private Path certificate;

  @Option(
      names = "--tls-key",
      paramLabel = "F",
      description = "Key of the certificate in PEM (PKCS #8).")
  private Path key;

  @Option(
      names = "--max-batch",
      paramLabel = "N",
      defaultValue = "32",
      description = "Rows that run together at most (default: 32).")
  private int maxBatch;

  @Option(
      names = "--max-delay-micros",
      paramLabel = "N",
      defaultValue = "500",
      description = "Time a batch waits to be full while requests keep coming (500).")
  private long maxDelay;

  @Option(
      names = "--max-queue",
      paramLabel = "N",
      defaultValue = "1024",
      description = "Requests that may wait; more are answered 429 (1024).")
  private int maxQueue;

  @Option(
      names = "--max-body-mb",
      paramLabel = "N",
      defaultValue = "16",
      description = "Size of a request; larger ones are answered 413 (16).")
  private int maxBody;

  @Option(
      names = "--max-connections",
      paramLabel = "N",
      defaultValue = "1024",
      description = "Connections at once; more wait (1024).")
  private int maxConnections;

  @Option(
      names = "--max-texts",
      paramLabel = "N",
      defaultValue = "2048",
      description = "Texts of one embedding request (2048).")
  private int maxTexts;

  @Option(
      names = "--deadline",
      paramLabel = "S",
      defaultValue = "30",
      description = "Seconds for an answer, else it is 504 (30).")
  private double deadline;

  @Option(
      names = "--drain",
      paramLabel = "S",
      defaultValue = "30",
      description = "Seconds that requests in flight have at the end (30).")
  private double drain;

  @Option(
      names = "--memory-mb",
      paramLabel = "N",
      description = "Memory for all weights (default: half of the machine's).")
  private Long memory;

  @Option(
      names = "--on-device-loss",
      paramLabel = "A",
      defaultValue = "cpu",
      description = {
        "What a model does whose GPU failed and does not take it again:",
        "cpu: serve from there; wait: answer 503 and try on (default: cpu)."
      })
  private LossPolicy policy;

  @Option(
      names = "--allow-reload",
      description = "Let POST /v2/repository/models/NAME/load read a file anew.")
  private boolean reload;

  @Option(names = "--truncate", description = "Cut texts that are longer than a model takes.")
  private boolean truncate;

  @Mixin private Common.Format format;

  @Override
  public Integer call() throws InterruptedException {
    ServerOptions options = options();
    SessionOptions session = runtime.options().withShapes(SHAPES);
    BatchOptions batching = batching();
    Map<String, String> sources = sources();
    try (ModelServer server = new ModelServer(options, session, batching, memory(), policy)) {
      try (ProgressBars progress = new ProgressBars()) {
        for (Map.Entry<String, String> source : sources.entrySet()) {
          Path file = Models.file(source.getValue(), progress);
          server.load(
              source.getKey(),
              Models.compressed(file, compressed.recipe, session.threads(), progress));
        }
      }
      server.start();
      report(server, options);
      awaitEnd(server);
    }
    return Main.DONE;
  }

  private ServerOptions options() {
    try {
      Common.checkPositive("--deadline", deadline);
      Common.checkPositive("--max-body-mb", maxBody);
      int body = Math.toIntExact(Math.min(Integer.MAX_VALUE, (long) maxBody << 20));
      ServerOptions limits = ServerOptions.defaults();
      return limits
          .withAddress(host, port)
          .withToken(token())
          .withTls(certificate, key)
          .withLimits(body, Math.max(limits.maxBodies(), body), maxConnections, maxTexts)
          .withTimes(limits.bodyTime(), seconds(deadline), seconds(drain))
          .withReload(reload)
          .withTruncation(truncate);
    } catch (InputException wrong) {
      throw misused(wrong);
    }
  }

  /** The message with the option as the command line has it. */
  private static UsageException misused(InputException wrong) {
    String message = wrong.getMessage();
    for (Map.Entry<String, String> option : OPTIONS.entrySet()) {
      message = message.replaceFirst("^option " + option.getKey() + " ", option.getValue() + " ");
    }
    return new UsageException(message);
  }

  private BatchOptions batching() {
    try {
      return BatchOptions.defaults()
          .withMaxBatch(maxBatch)
          .withMaxDelay(Duration.of(maxDelay, ChronoUnit.MICROS))
          .withMaxQueue(maxQueue);
    } catch (InputException wrong) {
      throw misused(wrong);
    }
  }

  private static Duration seconds(double number) {
    return Duration.ofMillis((long) Math.min(number * 1e3, Integer.MAX_VALUE));
  }

  /** The token from its file or the environment, or null; it is never part of a message. */
  private String token() {
    if (tokenFile == null) {
      String token = System.getenv(TOKEN);
      return token == null || token.isEmpty() ? null : token;
    }
    try {
      return Files.readString(tokenFile).strip();
    } catch (IOException unreadable) {
      throw new FormatException(
          "the token file " + tokenFile + " cannot be read",
          "name a text file that holds the token",
          unreadable);
    }
  }

  private long memory() {
    if (memory != null) {
      Common.checkPositive("--memory-mb", memory);
      return memory * MEGABYTE;
    }
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getTotalMemorySize() / 2
        : Long.MAX_VALUE;
  }

  /** Models by the names they are served under. */
  private Map<String, String> sources() {
    Map<String, String> sources = new LinkedHashMap<>();
    for (String model : models) {
      int equals = model.indexOf('=');
      String source = model.substring(equals + 1);
      String name = equals > 0 ? model.substring(0, equals) : nameOf(source);
      if (sources.put(name, source) != null) {
        throw new UsageException(
            "two models would be served as '" + name + "'; give them names: NAME=" + source);
      }
    }
    return sources;
  }

  private static String nameOf(String source) {
    String file = source.replaceFirst("/+$", "").replaceFirst(".*[/\\\\]", "");
    return file.replaceFirst("\\.(onnx|filigree|safetensors)$", "");
  }

  private void report(ModelServer server, ServerOptions options) {
    PrintWriter out = spec.commandLine().getOut();
    List<ModelHost.Served> served = server.host().models();
    if (format.json) {
      ObjectNode document = Output.JSON.createObjectNode().put("url", server.uri().toString());
      ArrayNode list = document.putArray("models");
      for (ModelHost.Served model : served) {
        list.addObject()
            .put("name", model.name())
            .put("path", model.path().toString())
            .put("device", model.device())
            .put("kernels", model.kernels())
            .put("bytes", model.bytes());
      }
      Output.json(out, document);
    } else {
      List<String> names = new ArrayList<>();
      served.forEach(
          model ->
              names.add(model.name() + " on " + model.device() + " (" + model.kernels() + ")"));
      out.println("serving " + String.join(", ", names));
      out.println("at " + server.uri() + ", its status page too");
      out.flush();
    }
    if (options.token() == null && !isLocal(options.host())) {
      PrintWriter err = spec.commandLine().getErr();
      err.println(
          "filigree: anyone who reaches "
              + options.host()
              + " may use the models; set a token with --token-file or "
              + TOKEN);
      err.flush();
    }
  }

  private static boolean isLocal(String host) {
    try {
      return InetAddress.getByName(host).isLoopbackAddress();
    } catch (UnknownHostException unknown) {
      return false;
    }
  }

  /** Waits for SIGTERM or SIGINT; the requests in flight are finished before the JVM ends. */
  private static void awaitEnd(ModelServer server) throws InterruptedException {
    CountDownLatch never = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            Thread.ofPlatform()
                .name("filigree-drain")
                .unstarted(
                    () -> {
                      try {
                        server.close();
                      } catch (FiligreeException failed) {
                        System.err.println("filigree: " + failed.getMessage());
                      }
                    }));
    never.await();
  }
}
