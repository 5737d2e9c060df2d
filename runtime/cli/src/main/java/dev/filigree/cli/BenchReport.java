package dev.filigree.cli;

import dev.filigree.FormatException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Measurements as a document and as a table. */
final class BenchReport {
  private BenchReport() {}

  /** The document of {@code bench --json}. */
  static ObjectNode document(List<Measurement.Result> results) {
    ObjectNode document = Output.JSON.createObjectNode();
    Machine.describe(document.putObject("machine"));
    ArrayNode list = document.putArray("results");
    for (Measurement.Result result : results) {
      ObjectNode entry =
          list.addObject()
              .put("runtime", result.runtime())
              .put("recipe", result.recipe())
              .put("precision", result.precision())
              .put("device", result.device())
              .put("batch", result.batch())
              // null where the model leaves no length open
              .put("length", result.length() == 0 ? null : (Integer) result.length())
              .put("threads", result.threads())
              .put("runs", result.runs())
              .put("p50Millis", result.p50())
              .put("p95Millis", result.p95())
              .put("p99Millis", result.p99())
              .put("throughputPerSecond", result.throughput())
              .put("ratioToBaseline", result.ratio())
              .put("ratioP10", result.ratioLow())
              .put("ratioP90", result.ratioHigh())
              .put("cosineToBaseline", result.cosine());
      if (!Double.isNaN(result.cpuRatio())) {
        entry.put("cpuRatioToBaseline", result.cpuRatio());
      }
    }
    return document;
  }

  /**
   * Reads a document again.
   *
   * @throws FormatException if it is none
   */
  static List<Measurement.Result> read(Path file) {
    List<Measurement.Result> results = new ArrayList<>();
    try {
      JsonNode list = Output.JSON.readTree(Files.readString(file)).required("results");
      for (JsonNode each : list) {
        results.add(
            new Measurement.Result(
                each.required("runtime").asString(),
                each.required("recipe").asString(),
                each.required("precision").asString(),
                each.required("device").asString(),
                each.required("batch").asInt(),
                each.required("length").asInt(0),
                each.required("threads").asInt(),
                each.required("runs").asInt(),
                each.required("p50Millis").asDouble(),
                each.required("p95Millis").asDouble(),
                each.required("p99Millis").asDouble(),
                each.required("throughputPerSecond").asDouble(),
                each.required("ratioToBaseline").asDouble(),
                each.required("ratioP10").asDouble(),
                each.required("ratioP90").asDouble(),
                each.path("cpuRatioToBaseline").asDouble(Double.NaN),
                each.required("cosineToBaseline").asDouble()));
      }
    } catch (IOException | JacksonException wrong) {
      throw new FormatException(
          file + " is no document of bench (" + wrong.getMessage() + ")",
          "pass a file that bench --json printed",
          wrong);
    }
    if (results.isEmpty()) {
      throw new FormatException(
          file + " holds no results", "pass a file that bench --json printed");
    }
    return results;
  }

  /** A table, and what its columns mean. */
  static void print(PrintWriter out, List<Measurement.Result> results) {
    Output.Table table =
        new Output.Table(
            "runtime",
            "recipe",
            "precision",
            ">batch",
            ">length",
            ">threads",
            ">runs",
            ">p50",
            ">p95",
            ">p99",
            ">per s",
            ">times baseline",
            ">p10 to p90",
            ">of CPU time",
            ">cosine");
    for (Measurement.Result result : results) {
      table.row(
          result.runtime(),
          result.recipe(),
          result.precision(),
          Integer.toString(result.batch()),
          result.length() == 0 ? "" : Integer.toString(result.length()),
          Integer.toString(result.threads()),
          Integer.toString(result.runs()),
          Output.format("%.2f ms", result.p50()),
          Output.format("%.2f ms", result.p95()),
          Output.format("%.2f ms", result.p99()),
          Output.format("%.1f", result.throughput()),
          Output.format("%.2fx", result.ratio()),
          Output.format("%.2f to %.2f", result.ratioLow(), result.ratioHigh()),
          Double.isNaN(result.cpuRatio()) ? "" : Output.format("%.2fx", result.cpuRatio()),
          Output.format("%.4f", result.cosine()));
    }
    table.print(out);
    out.println();
    Measurement.Result baseline = results.getFirst();
    out.println(
        "'times baseline' is the median of paired ratios: the time of "
            + baseline.runtime()
            + " "
            + baseline.recipe()
            + " over the recipe's, measured in alternation;");
    out.println(
        "'of CPU time' is the same of the calling thread's processor time, where it is the only"
            + " one;");
    out.println(
        "'cosine' is between the first outputs. 'per s' counts sequences (rows of the batch).");
  }
}
