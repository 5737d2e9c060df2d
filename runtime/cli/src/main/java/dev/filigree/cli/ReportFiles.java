package dev.filigree.cli;

import dev.filigree.format.AtomicFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A sweep as a table, as JSON, as Markdown and as pictures. */
final class ReportFiles {
  private ReportFiles() {}

  static Output.Table table(List<ReportRow> rows) {
    List<String> header =
        new ArrayList<>(
            List.of(
                "recipe",
                ">bits/w",
                ">file",
                ">x",
                ">mean cos",
                ">worst cos",
                ">rank corr",
                ">top 10",
                ">worst layer",
                ">latency",
                ">made in",
                "not beaten in"));
    if (rows.getFirst().other() != null) {
      header.addAll(List.of(">other mean", ">other worst"));
    }
    if (hasClasses(rows)) {
      header.add(">same class");
    }
    if (isScored(rows)) {
      header.add(">accuracy");
    }
    Output.Table table = new Output.Table(header.toArray(String[]::new));
    for (ReportRow row : rows) {
      table.row(cells(row, rows.getFirst()));
    }
    return table;
  }

  /** Whether there were labels. */
  private static boolean isScored(List<ReportRow> rows) {
    return !Double.isNaN(rows.getFirst().accuracy());
  }

  private static boolean hasClasses(List<ReportRow> rows) {
    return !Double.isNaN(rows.getFirst().agreement());
  }

  private static String[] cells(ReportRow row, ReportRow dense) {
    List<String> cells = new ArrayList<>();
    Collections.addAll(
        cells,
        row.recipe(),
        Output.format("%.2f", row.bitsPerWeight()),
        Output.bytes(row.fileBytes()),
        Output.format("%.1f", (double) dense.fileBytes() / row.fileBytes()),
        Output.format("%.4f", row.fidelity().meanCosine()),
        Output.format("%.4f", row.fidelity().minCosine()),
        Output.known("%.4f", row.fidelity().spearman()),
        Output.known("%.3f", row.fidelity().topOverlap()),
        row.worstLayer().isEmpty() ? "" : Output.format("%.3f", row.worstError()),
        Output.format("%.1f ms, %.2fx", row.latencyMillis(), row.latencyRatio()),
        Output.format("%.1f s", row.processorMillis() / 1e3),
        (row.smallest() ? "bytes " : "") + (row.fastest() ? "latency" : ""));
    if (row.other() != null) {
      cells.add(Output.format("%.4f", row.other().meanCosine()));
      cells.add(Output.format("%.4f", row.other().minCosine()));
    }
    if (!Double.isNaN(dense.agreement())) {
      cells.add(Output.format("%.1f %%", 100 * row.agreement()));
    }
    if (!Double.isNaN(dense.accuracy())) {
      cells.add(Output.format("%.4f", row.accuracy()));
    }
    return cells.toArray(String[]::new);
  }

  static ObjectNode json(String model, List<ReportRow> rows) {
    ObjectNode document = Output.JSON.createObjectNode().put("model", model);
    Machine.describe(document.putObject("machine"));
    ArrayNode list = document.putArray("recipes");
    for (ReportRow row : rows) {
      ObjectNode entry =
          list.addObject()
              .put("recipe", row.recipe())
              .put("bitsPerWeight", row.bitsPerWeight())
              .put("bytes", row.fileBytes());
      entry
          .putObject("weightBytes")
          .put("values", row.bytes().values())
          .put("index", row.bytes().index())
          .put("scales", row.bytes().scales())
          .put("codebook", row.bytes().codebook());
      entry
          .put("meanCosine", row.fidelity().meanCosine())
          .put("minCosine", row.fidelity().minCosine())
          .put("lowCosine", row.fidelity().lowCosine())
          .put("spearman", Output.known(row.fidelity().spearman()))
          .put("top10Overlap", Output.known(row.fidelity().topOverlap()))
          .put("worstLayer", row.worstLayer())
          .put("worstLayerError", row.worstError())
          .put("latencyMillis", row.latencyMillis())
          .put("latencyRatio", row.latencyRatio())
          .put("compressMillis", row.compressMillis())
          .put("processorMillis", row.processorMillis())
          .put("onBytesFront", row.smallest())
          .put("onLatencyFront", row.fastest());
      if (hasClasses(rows)) {
        entry.put("sameClass", row.agreement());
      }
      if (isScored(rows)) {
        entry.put("accuracy", Output.known(row.accuracy()));
      }
      if (row.other() != null) {
        entry
            .putObject("other")
            .put("meanCosine", row.other().meanCosine())
            .put("minCosine", row.other().minCosine())
            .put("spearman", Output.known(row.other().spearman()))
            .put("top10Overlap", Output.known(row.other().topOverlap()));
      }
    }
    return document;
  }

  private static String markdown(String model, List<ReportRow> rows) {
    StringBuilder text = new StringBuilder("# Recipes for " + model + "\n\n");
    text.append("On ").append(Machine.summary()).append(".\n\n");
    text.append(
        "| recipe | bits/weight | file | x | mean cosine | worst cosine | rank correlation | top 10"
            + " | worst layer | latency | made in | not beaten in |");
    boolean hasOther = rows.getFirst().other() != null;
    text.append(hasOther ? " other texts: mean | worst |" : "");
    text.append(hasClasses(rows) ? " same class |" : "");
    text.append(isScored(rows) ? " accuracy |\n" : "\n");
    int columns = 12 + (hasOther ? 2 : 0) + (hasClasses(rows) ? 1 : 0) + (isScored(rows) ? 1 : 0);
    text.append("|---".repeat(columns)).append("|\n");
    for (ReportRow row : rows) {
      text.append("| ").append(String.join(" | ", cells(row, rows.getFirst()))).append(" |\n");
    }
    text.append("\n![bytes against fidelity](pareto-bytes.svg)\n");
    text.append("\n![latency against fidelity](pareto-latency.svg)\n");
    return text.toString();
  }

  /** Writes all files of a report, each whole or not at all. */
  static void write(Path folder, String model, List<ReportRow> rows) {
    text(folder.resolve("report.json"), json(model, rows).toPrettyString() + "\n");
    text(folder.resolve("report.md"), markdown(model, rows));
    ParetoChart.write(
        ParetoChart.draw(
            model + ": bytes against fidelity",
            "file, MB",
            rows.stream()
                .map(
                    row ->
                        new ParetoChart.Point(
                            row.recipe(),
                            row.fileBytes() / 1e6,
                            row.fidelity().meanCosine(),
                            row.smallest()))
                .toList()),
        folder,
        "pareto-bytes");
    ParetoChart.write(
        ParetoChart.draw(
            model + ": latency against fidelity",
            "latency, times that of dense",
            rows.stream()
                .map(
                    row ->
                        new ParetoChart.Point(
                            row.recipe(),
                            row.latencyRatio(),
                            row.fidelity().meanCosine(),
                            row.fastest()))
                .toList()),
        folder,
        "pareto-latency");
  }

  private static void text(Path file, String content) {
    AtomicFile.write(
        file,
        channel -> {
          ByteBuffer buffer = ByteBuffer.wrap(content.getBytes(StandardCharsets.UTF_8));
          while (buffer.hasRemaining()) {
            channel.write(buffer);
          }
        });
  }
}
