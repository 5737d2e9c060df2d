package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Sentences through the bundled model. */
class TextTest {
  private static final String EATING = "A man is eating food.";
  private static final String BREAD = "A man is eating a piece of bread.";

  /** What sentence-transformers says of the two. */
  private static final double COSINE = 0.7553;

  @TempDir Path folder;

  @Test
  void textsAreEmbeddedAndSavedInTheirOrder() throws IOException {
    Path file = Files.writeString(folder.resolve("texts.txt"), BREAD + "\n\nÜber 漢字 😀\n");
    JsonNode document =
        Cli.run(
                "run",
                "minilm",
                "--text",
                EATING,
                "--text-file",
                file,
                "--output-dir",
                folder,
                "--json")
            .json();
    assertEquals("minilm", document.get("model").asString());
    assertEquals("cpu", document.get("device").asString());
    assertEquals("dense", document.get("recipe").asString());
    assertEquals(3, document.get("inputs").size());
    assertEquals(EATING, document.get("inputs").get(0).asString());
    assertEquals("Über 漢字 😀", document.get("inputs").get(2).asString());
    assertEquals(COSINE, document.get("cosine").get(0).get(1).asDouble(), 1e-4);
    assertEquals(1, document.get("cosine").get(2).get(2).asDouble(), 1e-6);
    assertTrue(document.get("elapsedMillis").asDouble() > 0);
    assertFalse(document.has("dense"));
    Tensor saved = Npy.read(folder.resolve("embeddings.npy"));
    assertEquals("[3, 384]", saved.shape().toString());
    JsonNode vectors = document.get("embeddings");
    for (int text = 0; text < 3; text++) {
      assertEquals(384, vectors.get(text).size());
      for (int i = 0; i < 384; i++) {
        assertEquals(saved.getDouble(text * 384L + i), vectors.get(text).get(i).asDouble(), 1e-7);
      }
    }
  }

  @Test
  void aRecipeShowsTheDenseModelBesideIt() {
    JsonNode document =
        Cli.run(
                "run",
                "minilm",
                "--recipe",
                "2:4-int8",
                "--text",
                EATING,
                "--text",
                BREAD,
                "--json")
            .json();
    assertEquals("2:4-int8", document.get("recipe").asString());
    JsonNode dense = document.get("dense");
    assertEquals(COSINE, dense.get("cosine").get(0).get(1).asDouble(), 1e-4);
    assertTrue(document.get("bytes").asLong() < dense.get("bytes").asLong() / 3);
    assertTrue(dense.get("latencyMillis").asDouble() > 0);
    assertTrue(document.get("latencyMillis").asDouble() > 0);
    JsonNode fidelity = document.get("fidelity");
    assertEquals(fidelity(document, dense), fidelity.get("meanCosine").asDouble(), 1e-6);
    assertTrue(fidelity.get("minCosine").asDouble() <= fidelity.get("meanCosine").asDouble());
  }

  private static double fidelity(JsonNode document, JsonNode dense) {
    double sum = 0;
    for (int text = 0; text < 2; text++) {
      for (int i = 0; i < 384; i++) {
        sum +=
            document.get("embeddings").get(text).get(i).asDouble()
                * dense.get("embeddings").get(text).get(i).asDouble();
      }
    }
    return sum / 2;
  }

  @Test
  void longTextsAreCutWhereThatIsAskedFor() {
    JsonNode document =
        Cli.run("run", "minilm", "--truncate", "--text", "word ".repeat(600), "--json").json();
    assertEquals(1, document.get("embeddings").size());
  }
}
