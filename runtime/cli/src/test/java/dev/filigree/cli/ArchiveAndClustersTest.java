package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Archives, clusters and what search refuses, on one linear layer. */
class ArchiveAndClustersTest {
  @TempDir Path folder;
  private Path onnx;

  @BeforeEach
  void write() {
    onnx =
        new OnnxModel(13)
            .input("x", DType.F32, "tokens", "64")
            .initializer("layer.weight", Tensor.of(new Samples(1).normal(64 * 96), 64, 96))
            .node("MatMul", "y", "x", "layer.weight")
            .output("y", DType.F32, "tokens", "96")
            .write(folder.resolve("one.onnx"));
  }

  @Test
  void anArchiveIsSmallerAndHoldsTheSame() throws IOException {
    Path plain = folder.resolve("plain.filigree");
    Path archive = folder.resolve("archive.filigree");
    Path again = folder.resolve("again.filigree");
    assertEquals(0, Cli.run("compress", onnx, "--recipe", "int8", "-o", plain).code());
    Cli.Result packed = Cli.run("compress", onnx, "--recipe", "int8", "--archive", "-o", archive);
    assertEquals(0, packed.code(), packed.err());
    assertTrue(Files.size(archive) < Files.size(plain));
    JsonNode sizes = Cli.run("inspect", archive, "--json").json().get("archive");
    assertTrue(sizes.get("codedBytes").asLong() < sizes.get("decodedBytes").asLong());
    assertTrue(Cli.run("inspect", archive).out().contains("entropy-coded"));
    assertFalse(Cli.run("inspect", plain, "--json").json().has("archive"));
    assertTrue(Cli.run("convert", archive, again, "--json").json().get("lossless").asBoolean());
    Cli.run("convert", onnx, folder, "--archive").failsWith(2);
  }

  @Test
  void startsOfKMeansAreComparedWithTheOptimum() {
    JsonNode layer =
        Cli.run("clusters", onnx, "--layer", "layer", "--bits", "4", "--error", "0.2", "--json")
            .json()
            .get("layers")
            .get(0);
    for (String start : new String[] {"exact", "linear", "density", "random", "k-means++"}) {
      assertTrue(layer.get("overOptimum").get(start).asDouble() >= 1 - 1e-9, start);
    }
    int clusters = layer.get("clustersForError").asInt();
    assertTrue(clusters > 4 && clusters < 16, "0.2 of a normal distribution: " + clusters);
    assertEquals(4, layer.get("bitsForError").asInt());
    String table =
        Cli.run("clusters", onnx, "--layer", "layer", "--bits", "4", "--error", "0.2").out();
    String heading = table.lines().filter(line -> line.startsWith("layer")).findFirst().orElse("");
    assertEquals(
        List.of(
            "layer",
            "least cost",
            "linear",
            "density",
            "random",
            "k-means++",
            "clusters for error",
            "bits for error"),
        List.of(heading.strip().split(" {2,}")),
        table);
    assertTrue(table.contains("the fewest clusters with an error of at most 0.2"), table);
    Cli.run("clusters", onnx, "--layer", "none").failsWith(1);
    Cli.run("clusters", onnx, "--layer", "layer", "--bits", "3").failsWith(2);
  }

  @Test
  void aSearchNeedsABudgetThatIsOne() throws IOException {
    Path texts = Files.write(folder.resolve("texts.txt"), List.of("A text."));
    Cli.run("search", onnx, "--text-file", texts).failsWith(2);
    Cli.run("search", onnx, "--text-file", texts, "--budget", "bytes=x").failsWith(2);
    Cli.run("search", onnx, "--text-file", texts, "--budget", "bytes=9kB", "-o", "x.txt")
        .failsWith(2);
    // no text model
    Cli.run("search", onnx, "--text-file", texts, "--budget", "bytes=9kB").failsWith(1);
  }
}
