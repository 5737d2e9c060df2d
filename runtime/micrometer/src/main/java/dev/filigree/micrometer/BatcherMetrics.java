package dev.filigree.micrometer;

import dev.filigree.serving.BatchStatistics;
import dev.filigree.serving.Batcher;
import dev.filigree.serving.Distribution;
import dev.filigree.serving.ModelHost;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.FunctionTimer;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.TimeGauge;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/**
 * What a batcher, or a model of a host, has done, as meters with the tag {@code model}:
 *
 * <ul>
 *   <li>{@code filigree.requests}, {@code filigree.batches}, {@code filigree.rejected}, {@code
 *       filigree.abandoned}, {@code filigree.failed}: counters;
 *   <li>{@code filigree.waiting}: requests that wait now; {@code filigree.batch.rows}: mean rows of
 *       a batch;
 *   <li>{@code filigree.latency}: count and total time of requests from their arrival to their
 *       outputs; {@code filigree.latency.percentile} with the tag {@code percentile}, since the
 *       start.
 * </ul>
 *
 * Reading a meter takes a snapshot; the requests themselves are not slowed down. Of a host, the
 * counters of a model start again with each version; a model that is no longer served reads as 0.
 */
public final class BatcherMetrics implements MeterBinder {
  private static final double[] PERCENTILES = {50, 95, 99};

  private static final BatchStatistics NOTHING =
      new BatchStatistics(
          0, 0, 0, 0, 0, 0, Distribution.NONE, Distribution.NONE, Distribution.NONE);

  private final Supplier<BatchStatistics> statistics;
  private final Tags tags;

  private BatcherMetrics(String model, Supplier<BatchStatistics> statistics) {
    this.statistics = statistics;
    this.tags = Tags.of("model", model);
  }

  /** The meters of a batcher. They hold on to it as long as their registry does. */
  public static BatcherMetrics of(String model, Batcher batcher) {
    return new BatcherMetrics(model, batcher::statistics);
  }

  /** The meters of a model of a host, whichever version serves. */
  public static BatcherMetrics of(ModelHost host, String model) {
    return new BatcherMetrics(
        model,
        () ->
            host.models().stream()
                .filter(served -> served.name().equals(model))
                .map(ModelHost.Served::statistics)
                .findFirst()
                .orElse(NOTHING));
  }

  @Override
  public void bindTo(MeterRegistry registry) {
    counter(registry, "filigree.requests", "Requests that were run", BatchStatistics::requests);
    counter(registry, "filigree.batches", "Runs of requests together", BatchStatistics::batches);
    counter(registry, "filigree.rejected", "Requests turned away", BatchStatistics::rejected);
    counter(registry, "filigree.abandoned", "Requests given up", BatchStatistics::abandoned);
    counter(registry, "filigree.failed", "Requests that failed", BatchStatistics::failed);
    gauge(registry, "filigree.waiting", "Requests that wait now", BatchStatistics::waiting);
    gauge(
        registry,
        "filigree.batch.rows",
        "Mean rows that ran together",
        now -> now.batchRows().count() == 0 ? 0 : now.batchRows().mean());
    FunctionTimer.builder(
            "filigree.latency",
            statistics,
            source -> source.get().latencyNanos().count(),
            source -> source.get().latencyNanos().sum(),
            TimeUnit.NANOSECONDS)
        .description("Time from a request's arrival to its outputs")
        .tags(tags)
        .register(registry);
    for (double percentile : PERCENTILES) {
      TimeGauge.builder(
              "filigree.latency.percentile",
              statistics,
              TimeUnit.NANOSECONDS,
              source -> source.get().latencyNanos().percentile(percentile))
          .description("Percentile of the latency since the start")
          .tags(tags.and("percentile", Integer.toString((int) percentile)))
          .strongReference(true)
          .register(registry);
    }
  }

  private void counter(
      MeterRegistry registry,
      String name,
      String description,
      ToDoubleFunction<BatchStatistics> value) {
    FunctionCounter.builder(name, statistics, source -> value.applyAsDouble(source.get()))
        .description(description)
        .tags(tags)
        .register(registry);
  }

  private void gauge(
      MeterRegistry registry,
      String name,
      String description,
      ToDoubleFunction<BatchStatistics> value) {
    Gauge.builder(name, statistics, source -> value.applyAsDouble(source.get()))
        .description(description)
        .tags(tags)
        .strongReference(true)
        .register(registry);
  }
}
