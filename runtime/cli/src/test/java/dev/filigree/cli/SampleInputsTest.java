package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The inputs that `bench` and `explain` make up. */
class SampleInputsTest {
  private static final int WORDS = 5;

  @TempDir private Path folder;

  @Test
  void idsAreRowsOfTheModelsOwnTable() {
    Path file =
        new OnnxModel(13)
            .input("input_ids", DType.I64, "batch", "length")
            .initializer("table", Tensor.of(new Samples(1).normal(WORDS * 8), WORDS, 8))
            .node("Gather", "y", "table", "input_ids")
            .output("y", DType.F32, "batch", "length", "8")
            .write(folder.resolve("words.onnx"));
    try (Model model = Model.open(file)) {
      Tensor ids = SampleInputs.of(model, 2, 40, Map.of()).get("input_ids");
      assertEquals(80, ids.elements());
      boolean[] met = new boolean[WORDS];
      for (long i = 0; i < ids.elements(); i++) {
        met[(int) ids.getLong(i)] = true;
      }
      for (boolean each : met) {
        assertTrue(each, "every row is looked up");
      }
    }
    Cli.Result bench = Cli.run("bench", file.toString(), "--runs", "3");
    assertEquals(0, bench.code(), bench.err());
  }
}
