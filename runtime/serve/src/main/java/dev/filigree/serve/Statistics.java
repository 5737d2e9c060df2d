package dev.filigree.serve;

import dev.filigree.serving.BatchStatistics;
import dev.filigree.serving.Distribution;
import dev.filigree.serving.ModelHost;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** What the server has done: for its status page, and for Prometheus. Thread-safe. */
final class Statistics {
  /** Seconds that the status page looks back. */
  static final int HISTORY = 120;

  private static final double MILLI = 1e6;
  private static final double SECOND = 1e9;

  /** Upper bounds of the latency buckets in nanoseconds: a millisecond, doubled again and again. */
  private static final int LATENCY_BUCKETS = 15;

  private static final int[] ROW_BUCKETS = {1, 2, 4, 8, 16, 32, 64, 128};

  private final ModelHost host;
  private final Instant started = Instant.now();
  private final Map<Integer, LongAdder> replies = new ConcurrentSkipListMap<>();
  private final Map<String, History> histories = new HashMap<>();

  Statistics(ModelHost host) {
    this.host = host;
  }

  /** A second of a model. */
  private record Second(long requests, double p50, double p99, double rows, int waiting) {}

  /** The last seconds of a version of a model. */
  private static final class History {
    final ArrayDeque<Second> seconds = new ArrayDeque<>();
    int version;
    Distribution latency = Distribution.NONE;
    Distribution rows = Distribution.NONE;
  }

  long startedSeconds() {
    return started.getEpochSecond();
  }

  /** Notes the status of an answer. */
  void replied(int status) {
    replies.computeIfAbsent(status, unused -> new LongAdder()).increment();
  }

  /** Notes what each model did since the last time; to be called every second. */
  synchronized void tick() {
    for (ModelHost.Served served : host.models()) {
      History history = histories.computeIfAbsent(served.name(), name -> new History());
      BatchStatistics now = served.statistics();
      if (history.version != served.version()) {
        history.version = served.version();
        history.latency = Distribution.NONE;
        history.rows = Distribution.NONE;
      }
      Distribution latency = now.latencyNanos().since(history.latency);
      Distribution rows = now.batchRows().since(history.rows);
      history.latency = now.latencyNanos();
      history.rows = now.batchRows();
      history.seconds.add(
          new Second(
              latency.count(),
              latency.percentile(50) / MILLI,
              latency.percentile(99) / MILLI,
              rows.count() == 0 ? 0 : rows.mean(),
              now.waiting()));
      if (history.seconds.size() > HISTORY) {
        history.seconds.remove();
      }
    }
  }

  /** For the status page. */
  synchronized ObjectNode status(boolean draining) {
    ObjectNode document =
        Json.MAPPER
            .createObjectNode()
            .put("version", ModelServer.version())
            .put("started", started.toString())
            .put("draining", draining);
    ArrayNode models = document.putArray("models");
    for (ModelHost.Served served : host.models()) {
      BatchStatistics batches = served.statistics();
      ObjectNode model =
          models
              .addObject()
              .put("name", served.name())
              .put("version", served.version())
              .put("device", served.device())
              .put("kernels", served.kernels())
              .put("batched", served.batched())
              .put("bytes", served.bytes())
              .put("activationBytes", served.activationBytes())
              .put("ready", served.ready())
              .put("note", served.note())
              .put("losses", served.losses())
              .put("requests", batches.requests())
              .put("batches", batches.batches())
              .put("rejected", batches.rejected())
              .put("abandoned", batches.abandoned())
              .put("failed", batches.failed())
              .put("waiting", batches.waiting())
              .put("p50Millis", batches.latencyNanos().percentile(50) / MILLI)
              .put("p99Millis", batches.latencyNanos().percentile(99) / MILLI);
      ArrayNode seconds = model.putArray("seconds");
      History history = histories.get(served.name());
      if (history != null) {
        for (Second second : history.seconds) {
          seconds
              .addObject()
              .put("requests", second.requests)
              .put("p50Millis", second.p50)
              .put("p99Millis", second.p99)
              .put("rows", second.rows)
              .put("waiting", second.waiting);
        }
      }
    }
    ObjectNode statuses = document.putObject("replies");
    replies.forEach((status, count) -> statuses.put(Integer.toString(status), count.sum()));
    return document;
  }

  /** In the text format of Prometheus, version 0.0.4. */
  Reply metrics(long bodyBytes) {
    StringBuilder text = new StringBuilder();
    head(text, "http_replies_total", "counter", "Answers by HTTP status");
    replies.forEach(
        (status, count) ->
            line(text, "http_replies_total", "status", Integer.toString(status), count.sum()));
    head(text, "http_body_bytes", "gauge", "Bytes of request bodies in memory");
    text.append("filigree_http_body_bytes ").append(bodyBytes).append('\n');
    var models = host.models();
    counter(text, models, "requests_total", "Requests run", BatchStatistics::requests);
    counter(text, models, "batches_total", "Runs of requests", BatchStatistics::batches);
    counter(text, models, "rejected_total", "Requests refused", BatchStatistics::rejected);
    counter(text, models, "abandoned_total", "Requests given up", BatchStatistics::abandoned);
    counter(text, models, "failed_total", "Requests that failed", BatchStatistics::failed);
    head(text, "waiting_requests", "gauge", "Requests that wait");
    models.forEach(
        m -> line(text, "waiting_requests", "model", m.name(), m.statistics().waiting()));
    head(text, "model_bytes", "gauge", "Bytes of weights, as they are and laid out");
    models.forEach(m -> line(text, "model_bytes", "model", m.name(), m.bytes()));
    head(text, "model_version", "gauge", "Version that serves");
    models.forEach(m -> line(text, "model_version", "model", m.name(), m.version()));
    head(text, "model_ready", "gauge", "1, or 0 while it is loaded again after its device failed");
    models.forEach(m -> line(text, "model_ready", "model", m.name(), m.ready() ? 1 : 0));
    head(text, "device_losses_total", "counter", "Times that its device failed");
    models.forEach(m -> line(text, "device_losses_total", "model", m.name(), m.losses()));
    head(text, "latency_seconds", "histogram", "Time from a request's arrival to its outputs");
    models.forEach(m -> latency(text, m.name(), m.statistics().latencyNanos()));
    head(text, "batch_rows", "histogram", "Rows that ran together");
    models.forEach(m -> rows(text, m.name(), m.statistics().batchRows()));
    return new Reply(
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        text.toString().getBytes(StandardCharsets.UTF_8),
        Map.of());
  }

  private static void head(StringBuilder text, String name, String type, String help) {
    text.append("# HELP filigree_").append(name).append(' ').append(help).append('\n');
    text.append("# TYPE filigree_").append(name).append(' ').append(type).append('\n');
  }

  private static void line(
      StringBuilder text, String name, String label, String value, double number) {
    text.append("filigree_").append(name).append('{').append(label).append("=\"").append(value);
    text.append("\"} ").append(number(number)).append('\n');
  }

  private static String number(double number) {
    return number == Math.rint(number)
        ? Long.toString((long) number)
        : String.format(Locale.ROOT, "%.9g", number);
  }

  private static void counter(
      StringBuilder text,
      java.util.List<ModelHost.Served> models,
      String name,
      String help,
      java.util.function.ToLongFunction<BatchStatistics> count) {
    head(text, name, "counter", help);
    models.forEach(m -> line(text, name, "model", m.name(), count.applyAsLong(m.statistics())));
  }

  private static void latency(StringBuilder text, String model, Distribution nanos) {
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
      long bound = (long) MILLI << i;
      bucket(text, "latency_seconds", model, number(bound / SECOND), nanos.countUpTo(bound));
    }
    end(text, "latency_seconds", model, nanos, nanos.sum() / SECOND);
  }

  private static void rows(StringBuilder text, String model, Distribution rows) {
    for (int bound : ROW_BUCKETS) {
      bucket(text, "batch_rows", model, Integer.toString(bound), rows.countUpTo(bound));
    }
    end(text, "batch_rows", model, rows, rows.sum());
  }

  private static void end(
      StringBuilder text, String name, String model, Distribution values, double sum) {
    bucket(text, name, model, "+Inf", values.count());
    line(text, name + "_sum", "model", model, sum);
    line(text, name + "_count", "model", model, values.count());
  }

  private static void bucket(
      StringBuilder text, String name, String model, String bound, long count) {
    text.append("filigree_").append(name).append("_bucket{model=\"").append(model);
    text.append("\",le=\"").append(bound).append("\"} ").append(count).append('\n');
  }
}
