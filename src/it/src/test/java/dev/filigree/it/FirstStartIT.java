package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Starting for the first time, and twice at once. */
class FirstStartIT {
  private final Product product = Product.get();

  @Test
  void twoStartsAtOnceWithNothingBuiltBothWork() {
    for (Program.Result result : product.firstStarts()) {
      JsonNode document = result.json();
      assertEquals(
          Product.COSINE, document.get("cosine").get(0).get(1).asDouble(), 1e-4, result.err());
    }
    long builders =
        product.firstStarts().stream()
            .filter(result -> result.err().contains("filigree: building"))
            .count();
    assertEquals(1, builders, "one builds, the other waits");
  }

  @Test
  void twoAtOnceMakeOneCompressedModelInTheCache() throws IOException {
    String[] command = {"run", "minilm", "--recipe", "2:4", "--text", Product.EATING, "--json"};
    List<Program> both = List.of(product.start(command), product.start(command));
    JsonNode first = both.get(0).await().json();
    JsonNode second = both.get(1).await().json();
    assertEquals(first.get("embeddings"), second.get("embeddings"));
    assertEquals("2:4", first.get("recipe").asString());
    try (Stream<Path> files = Files.list(product.cache().resolve("compressed"))) {
      List<String> names = files.map(file -> file.getFileName().toString()).toList();
      assertEquals(1, names.size(), names.toString());
      assertTrue(names.getFirst().endsWith(".filigree"), names.toString());
    }
    assertEquals(
        first.get("embeddings"), product.run(command).json().get("embeddings"), "from the cache");
  }
}
