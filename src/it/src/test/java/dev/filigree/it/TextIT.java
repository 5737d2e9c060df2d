package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a person sees of the main job. */
class TextIT {
  private final Product product = Product.get();

  private static List<String> lines(Program.Result result) {
    return Arrays.asList(result.succeeds().out().split("\n"));
  }

  @Test
  void twoTextsMakeATableOfTheirSimilarity() {
    List<String> lines =
        lines(product.run("run", "minilm", "--text", Product.EATING, "--text", Product.BREAD));
    assertTrue(
        lines.get(0).matches("minilm, dense, on cpu \\(vector \\d+-bit, \\d+ threads?\\)"),
        lines.get(0));
    assertEquals("1  A man is eating food.              1.0000  0.7553", lines.get(3));
    assertEquals("2  A man is eating a piece of bread.  0.7553  1.0000", lines.get(4));
    assertTrue(lines.get(7).matches("latency  \\d+\\.\\d ms .*for 2 texts"), lines.get(7));
  }

  @Test
  void aRecipeShowsDenseBesideItWithBytesAndLatency() {
    Program.Result result =
        product.run(
            "run", "minilm", "--recipe", "2:4", "--text", Product.EATING, "--text", Product.BREAD);
    List<String> lines = lines(result);
    assertTrue(lines.get(0).startsWith("minilm, 2:4, on cpu"), lines.get(0));
    assertTrue(
        lines.get(3).matches("1  A man is eating food\\. +1\\.0000 +0\\.\\d{4} \\(0\\.7553\\)"),
        lines.get(3));
    String row = " +(\\d+\\.\\d) MB +\\d+\\.\\d MB +\\d+\\.\\d ms +.*";
    String dense = lines.stream().filter(line -> line.startsWith("dense ")).findFirst().orElse("");
    String sparse = lines.stream().filter(line -> line.startsWith("2:4 ")).findFirst().orElse("");
    assertTrue(dense.matches("dense" + row), result.out());
    assertTrue(sparse.matches("2:4" + row), result.out());
    assertTrue(megabytes(sparse) < 0.85 * megabytes(dense), "2:4 is smaller\n" + result.out());
  }

  private static double megabytes(String row) {
    return Double.parseDouble(row.split(" +")[1]);
  }
}
