package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The commands that judge compressed models, on the bundled text encoder. */
class CompareTest {
  private static final List<String> TEXTS =
      List.of(
          "A ferry crosses the strait twice a day.",
          "The boat leaves at seven.",
          "She repaired the radio with a paper clip.",
          "Rain is expected in the north.");

  @TempDir private Path folder;

  private Path texts(String name, List<String> lines) throws IOException {
    return Files.write(folder.resolve(name), lines);
  }

  @Test
  void compareTellsFidelityPerLayerAndEndToEndAndChecksIt() throws IOException {
    Path int8 = folder.resolve("int8.filigree");
    Path file = texts("texts.txt", TEXTS);
    assertEquals(0, Cli.run("compress", "minilm", "--recipe", "int8", "-o", int8).code());
    JsonNode result = Cli.run("compare", "minilm", int8, "--text-file", file, "--json").json();
    double mean = result.get("meanCosine").asDouble();
    assertTrue(mean > 0.999 && mean < 1, "mean cosine " + mean);
    assertTrue(result.get("minCosine").asDouble() <= mean);
    assertTrue(result.get("spearman").asDouble() > 0.9);
    assertTrue(
        result.get("top10Overlap").isNull(), "three others are always among the ten nearest");
    assertEquals(36, result.get("layers").size());
    for (JsonNode layer : result.get("layers")) {
      double error = layer.get("outputError").asDouble();
      assertTrue(error > 0 && error < 0.03, layer.toString());
    }
    Cli.Result unmet = Cli.run("compare", "minilm", int8, "--text-file", file, "--min-cosine", "1");
    assertEquals(3, unmet.code(), unmet.err());
    assertTrue(unmet.err().contains("--min-cosine"), unmet.err());
    assertTrue(unmet.out().contains("rank correlation"), "the figures are printed all the same");
    assertFalse(unmet.out().contains("nearest"), unmet.out());
  }

  @Test
  void reportWritesATableItsNumbersAndPicturesOfBothFronts() throws IOException {
    Path file = texts("texts.txt", TEXTS);
    Path other = texts("other.txt", List.of("Returns the index of the first match."));
    Path pairs =
        texts(
            "pairs.tsv",
            List.of(
                "5\tA boat leaves.\tThe boat leaves at seven.",
                "0.5\tA boat leaves.\tShe repaired the radio.",
                "3\tRain is expected.\tIt may be wet in the north."));
    JsonNode report =
        Cli.run(
                "report",
                "minilm",
                "--recipe",
                "2:4,unstructured-50",
                "--text-file",
                file,
                "--other-texts",
                other,
                "--scored-pairs",
                pairs,
                "--output-dir",
                folder,
                "--json")
            .json();
    List<String> names = new ArrayList<>();
    for (JsonNode row : report.get("recipes")) {
      names.add(row.get("recipe").asString());
      JsonNode parts = row.get("weightBytes");
      long sum = 0;
      for (String part : parts.propertyNames()) {
        sum += parts.get(part).asLong();
      }
      // the file holds the matrices and little else
      assertTrue(sum < row.get("bytes").asLong(), row.toString());
      assertTrue(row.get("latencyMillis").asDouble() > 0);
    }
    assertEquals(
        List.of("dense", "int8", "int4", "2:4", "unstructured-50"),
        names,
        "the honest rows are always there");
    JsonNode dense = report.get("recipes").get(0);
    assertEquals(1, dense.get("meanCosine").asDouble(), 1e-6);
    assertEquals(1, dense.get("accuracy").asDouble(), "scores and cosines have the same order");
    assertEquals(1, dense.get("other").get("meanCosine").asDouble(), 1e-6);
    assertTrue(report.get("recipes").get(3).get("other").get("meanCosine").asDouble() < 0.9);
    assertTrue(report.get("recipes").get(3).get("processorMillis").asDouble() > 0);
    assertTrue(dense.get("onBytesFront").asBoolean());
    assertFalse(report.get("recipes").get(3).get("onBytesFront").asBoolean(), "int8 beats 2:4");
    assertEquals(report, Output.JSON.readTree(Files.readString(folder.resolve("report.json"))));
    String markdown = Files.readString(folder.resolve("report.md"));
    for (String name : names) {
      assertTrue(markdown.contains("| " + name + " |"), markdown);
    }
    for (String picture : List.of("pareto-bytes", "pareto-latency")) {
      String svg = Files.readString(folder.resolve(picture + ".svg"));
      assertTrue(svg.contains("<svg") && svg.stripTrailing().endsWith("</svg>"), picture);
      BufferedImage png = ImageIO.read(folder.resolve(picture + ".png").toFile());
      assertEquals(960, png.getWidth());
    }
  }

  @Test
  void pairsWithoutScoresAreRefused() throws IOException {
    Path file = texts("texts.txt", TEXTS);
    Path none = texts("pairs.tsv", List.of("1\tone text\tanother", "a score\tone\ttwo"));
    Cli.Result refused =
        Cli.run("report", "minilm", "--text-file", file, "--scored-pairs", none).failsWith(2);
    assertTrue(refused.err().contains("'a score"), refused.err());
  }

  @Test
  void textsThatWereLearnedAreNoExamination() throws IOException {
    Path file = texts("texts.txt", TEXTS);
    Path learned = texts("learned.txt", List.of("Something else.", TEXTS.get(2)));
    Cli.Result refused =
        Cli.run("report", "minilm", "--text-file", file, "--calibration", learned).failsWith(2);
    assertTrue(refused.err().contains("She repaired the radio"), refused.err());
  }

  @Test
  void aRecipeThatLearnsSaysWhatItNeeds() {
    Path out = folder.resolve("out.filigree");
    Cli.Result refused =
        Cli.run("compress", "minilm", "--recipe", "2:4-sparsegpt", "-o", out).failsWith(1);
    assertTrue(refused.err().contains("--calibration"), refused.err());
    assertFalse(Files.exists(out), "a failed compression leaves no file");
    assertTrue(Cli.run("compare", "minilm", "minilm").failsWith(2).err().contains("--text"));
  }

  @Test
  void aDryRunTellsThePlanAndWritesNothing() throws IOException {
    Path model = TinyOnnx.write(folder.resolve("tiny.onnx"));
    JsonNode plan =
        Cli.run("compress", model, "--recipe", "2:4-int8", "--dry-run", "--json").json();
    assertTrue(plan.get("weightBytesAfter").asLong() < plan.get("weightBytesBefore").asLong());
    boolean pruned = false;
    for (JsonNode layer : plan.get("layers")) {
      pruned |= layer.get("steps").asString().equals("magnitude 2:4, int8 by row");
    }
    assertTrue(pruned, plan.toString());
    try (var files = Files.list(folder)) {
      assertEquals(List.of(model), files.toList());
    }
  }
}
