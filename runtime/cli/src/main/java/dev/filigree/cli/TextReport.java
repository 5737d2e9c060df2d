package dev.filigree.cli;

import dev.filigree.text.SentenceEncoder;
import java.io.PrintWriter;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What {@code run} says of embedded texts: how similar they are, and beside it what the
 * uncompressed model says.
 */
final class TextReport {
  /** Texts up to which the table of similarities is made. */
  private static final int MAX_TABLE = 64;

  /** Texts up to which it fits a terminal. */
  private static final int MAX_PRINTED = 12;

  private static final int TEXT_WIDTH = 44;

  private TextReport() {}

  /** As JSON; {@code dense} is null if the model was not compressed. */
  static ObjectNode json(String model, List<String> texts, Embeddings result, Embeddings dense) {
    ObjectNode document =
        Output.JSON
            .createObjectNode()
            .put("model", model)
            .put("device", result.device())
            .put("recipe", result.recipe());
    texts.forEach(document.putArray("inputs")::add);
    vectors(document, result);
    if (texts.size() <= MAX_TABLE) {
      cosines(document, result);
    }
    document.put("elapsedMillis", result.elapsedMillis());
    latency(document, result);
    document.put("bytes", result.fileBytes());
    document.put("kernels", result.kernels()).put("threads", result.threads());
    if (dense != null) {
      ObjectNode other = document.putObject("dense");
      vectors(other, dense);
      if (texts.size() <= MAX_TABLE) {
        cosines(other, dense);
      }
      other.put("elapsedMillis", dense.elapsedMillis());
      latency(other, dense);
      other.put("bytes", dense.fileBytes());
      document
          .putObject("fidelity")
          .put("meanCosine", fidelity(result, dense, false))
          .put("minCosine", fidelity(result, dense, true));
    }
    return document;
  }

  private static void latency(ObjectNode document, Embeddings embeddings) {
    if (!Double.isNaN(embeddings.latencyMillis())) {
      document.put("latencyMillis", embeddings.latencyMillis());
    }
  }

  private static void vectors(ObjectNode document, Embeddings embeddings) {
    ArrayNode list = document.putArray("embeddings");
    for (float[] vector : embeddings.vectors()) {
      ArrayNode values = list.addArray();
      for (float value : vector) {
        values.add(value);
      }
    }
  }

  private static void cosines(ObjectNode document, Embeddings embeddings) {
    ArrayNode rows = document.putArray("cosine");
    for (int i = 0; i < embeddings.vectors().length; i++) {
      ArrayNode row = rows.addArray();
      for (int j = 0; j < embeddings.vectors().length; j++) {
        row.add(embeddings.cosine(i, j));
      }
    }
  }

  /** Cosine of each text's two vectors: their mean, or the worst. */
  private static double fidelity(Embeddings result, Embeddings dense, boolean worst) {
    double sum = 0;
    double min = 1;
    for (int i = 0; i < result.vectors().length; i++) {
      double cosine = SentenceEncoder.cosine(result.vectors()[i], dense.vectors()[i]);
      sum += cosine;
      min = Math.min(min, cosine);
    }
    return worst ? min : sum / result.vectors().length;
  }

  /**
   * What ran, and how alike the texts are; {@code dense} is null if the model was not compressed.
   */
  static void similarities(
      PrintWriter out, String model, List<String> texts, Embeddings result, Embeddings dense) {
    out.println(
        model
            + ", "
            + result.recipe()
            + ", on "
            + result.device()
            + " ("
            + result.kernels()
            + ", "
            + result.threads()
            + (result.threads() == 1 ? " thread)" : " threads)"));
    out.println();
    if (texts.size() <= MAX_PRINTED) {
      similarity(out, texts, result, dense);
      out.println();
    }
    out.flush();
  }

  /** What it took; {@code dense} is null if the model was not compressed. */
  static void costs(PrintWriter out, List<String> texts, Embeddings result, Embeddings dense) {
    if (dense == null) {
      out.println(
          "bytes    "
              + Output.bytes(result.fileBytes())
              + " file, "
              + Output.bytes(result.weightBytes())
              + " weights");
      out.println("latency  " + latency(result, texts.size()));
      return;
    }
    Output.Table table =
        new Output.Table("", ">file", ">weights", ">latency", ">cosine to dense", ">worst");
    table.row(
        "dense",
        Output.bytes(dense.fileBytes()),
        Output.bytes(dense.weightBytes()),
        latency(dense),
        "1",
        "1");
    table.row(
        result.recipe(),
        Output.bytes(result.fileBytes()),
        Output.bytes(result.weightBytes()),
        latency(result),
        Output.format("%.4f", fidelity(result, dense, false)),
        Output.format("%.4f", fidelity(result, dense, true)));
    table.print(out);
    out.println();
    out.println(
        "latency: median of repeated calls with "
            + texts.size()
            + (texts.size() == 1 ? " text" : " texts"));
  }

  private static void similarity(
      PrintWriter out, List<String> texts, Embeddings result, Embeddings dense) {
    String[] header = new String[texts.size() + 2];
    header[0] = ">";
    header[1] = dense == null ? "cosine" : "cosine (dense beside it)";
    for (int j = 0; j < texts.size(); j++) {
      header[j + 2] = ">" + (j + 1);
    }
    Output.Table table = new Output.Table(header);
    for (int i = 0; i < texts.size(); i++) {
      String[] row = new String[texts.size() + 2];
      row[0] = Integer.toString(i + 1);
      row[1] = Output.cut(texts.get(i), TEXT_WIDTH);
      for (int j = 0; j < texts.size(); j++) {
        String own = Output.format("%.4f", result.cosine(i, j));
        row[j + 2] =
            dense == null || i == j ? own : own + Output.format(" (%.4f)", dense.cosine(i, j));
      }
      table.row(row);
    }
    table.print(out);
  }

  private static String latency(Embeddings embeddings) {
    double millis =
        Double.isNaN(embeddings.latencyMillis())
            ? embeddings.elapsedMillis()
            : embeddings.latencyMillis();
    return Output.format("%.1f ms", millis);
  }

  private static String latency(Embeddings embeddings, int texts) {
    return latency(embeddings)
        + (Double.isNaN(embeddings.latencyMillis())
            ? " (first call)"
            : " (median of repeated calls)")
        + " for "
        + texts
        + (texts == 1 ? " text" : " texts");
  }
}
