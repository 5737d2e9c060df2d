package dev.filigree.cli;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.WeightMatrix;
import dev.filigree.compress.KMeans;
import dev.filigree.compress.Lloyd;
import dev.filigree.compress.Targets;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Tells what the starts of k-means cost, and how many clusters an error needs. */
@Command(
    name = "clusters",
    description = {
      "Cluster the weights of layers from every start; compare the cost with the least possible.",
      "It also picks the number of clusters whose root mean square error is small enough."
    },
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree clusters minilm --layer encoder.layer.0.attention.self.query",
      "  filigree clusters minilm --layer re:.*intermediate.* --bits 8 --error 0.02"
    })
final class ClustersCommand implements Callable<Integer> {
  /** Codes that files have, in bits. */
  private static final List<Integer> WIDTHS = List.of(1, 2, 4, 8);

  private static final long SEED = 0;

  @Spec private CommandSpec spec;
  @Mixin private Common.Source source;
  @Mixin private Common.Format format;

  @Option(
      names = "--layer",
      paramLabel = "L",
      required = true,
      description = "A layer, or re: and an expression for names; repeatable.")
  private List<String> layers;

  @Option(
      names = "--bits",
      paramLabel = "N",
      defaultValue = "4",
      description = "Bits of a code, 1, 2, 4 or 8 (default: 4).")
  private int bits;

  @Option(
      names = "--restarts",
      paramLabel = "N",
      defaultValue = "10",
      description = "Runs of the random starts, of which the best counts (default: 10).")
  private int restarts;

  @Option(
      names = "--error",
      paramLabel = "E",
      defaultValue = "0.1",
      description = {
        "The criterion for the number of clusters: root mean square",
        "error over the root mean square of the weights (default: 0.1)."
      })
  private double error;

  @Override
  public Integer call() {
    Common.checkPositive("--restarts", restarts);
    Common.checkPositive("--error", error);
    if (!WIDTHS.contains(bits)) {
      throw new UsageException("--bits " + bits + " is not supported; use 1, 2, 4 or 8");
    }
    PrintWriter out = spec.commandLine().getOut();
    ObjectNode document = Output.JSON.createObjectNode().put("model", source.model);
    ArrayNode list = document.putArray("layers");
    Output.Table table =
        new Output.Table(
            "layer",
            ">least cost",
            ">linear",
            ">density",
            ">random",
            ">k-means++",
            ">clusters for error",
            ">bits for error");
    try (ProgressBars progress = new ProgressBars();
        Model model = Model.open(Models.file(source.model, progress))) {
      Targets targets = new Targets(layers, List.of());
      List<WeightMatrix> all = new ArrayList<>(model.matrices());
      all.addAll(model.convolutions());
      List<WeightMatrix> chosen = all.stream().filter(targets::include).toList();
      if (chosen.isEmpty()) {
        throw new InputException(
            "--layer " + layers + " fits no layer of " + model.path(),
            "the layers are " + all.stream().map(WeightMatrix::name).toList());
      }
      for (WeightMatrix matrix : chosen) {
        layer(matrix, list.addObject(), table);
        progress.at("clustering", list.size(), chosen.size());
      }
      progress.finish();
    }
    if (format.json) {
      Output.json(out, document);
    } else {
      out.println(
          "Least within-cluster cost of "
              + (1 << bits)
              + " clusters, and how many times that each start of Lloyd's iteration costs:");
      out.println();
      table.print(out);
      out.println();
      out.println(
          "for error: the fewest clusters with an error of at most "
              + error
              + ", and the bits of codes for so many");
    }
    return Main.DONE;
  }

  private void layer(WeightMatrix matrix, ObjectNode entry, Output.Table table) {
    float[] values = matrix.weights().unpack();
    int k = 1 << bits;
    double least = KMeans.exact(values, k).cost();
    entry.put("name", matrix.name()).put("clusters", k).put("leastCost", least);
    ObjectNode starts = entry.putObject("overOptimum").put("exact", 1.0);
    String[] cells = new String[Lloyd.Start.values().length + 4];
    cells[0] = matrix.name();
    cells[1] = Output.format("%.4g", least);
    int at = 2;
    for (Lloyd.Start start : Lloyd.Start.values()) {
      double cost = Lloyd.cluster(values, null, k, start, restarts, SEED).cost();
      double over = cost == least ? 1 : cost / least;
      starts.put(name(start), over);
      cells[at++] = Output.format("%.4f", over);
    }
    // of at most 256, what the widest code can tell apart
    int needed = KMeans.clusters(values, null, error, 1 << WIDTHS.getLast());
    int width = WIDTHS.stream().filter(w -> 1 << w >= needed).findFirst().orElseThrow();
    entry.put("error", error).put("clustersForError", needed).put("bitsForError", width);
    cells[at++] = Integer.toString(needed);
    cells[at] = Integer.toString(width);
    table.row(cells);
  }

  private static String name(Lloyd.Start start) {
    return switch (start) {
      case LINEAR -> "linear";
      case DENSITY -> "density";
      case RANDOM -> "random";
      case PLUS_PLUS -> "k-means++";
    };
  }
}
