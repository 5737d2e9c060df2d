package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What {@code compress} tells of what it did not do. */
class CompressTest {
  @TempDir private Path folder;

  @Test
  void weightsThatNoRecipeReachesAreToldWithTheLargest() {
    Samples random = new Samples(1);
    Path model =
        new OnnxModel(14)
            .input("x", DType.F32, "1", "8")
            .initializer("w", Tensor.of(random.normal(8 * 4), 8, 4))
            .node("MatMul", "product", "x", "w")
            .initializer("small", Tensor.of(random.normal(4), 4))
            .node("Add", "moved", "product", "small")
            .initializer("grid", Tensor.of(random.normal(100 * 4), 100, 4))
            .node("Mul", "y", "moved", "grid")
            .output("y", DType.F32, "100", "4")
            .write(folder.resolve("grid.onnx"));
    Path output = folder.resolve("out.filigree");
    String told = Cli.run("compress", model, "--recipe", "int8", "-o", output).out();
    assertTrue(
        told.contains(
            "1.6 kB of 1.7 kB of weights are in no layer that recipes reach and stay as they are,"
                + " the largest in grid"),
        told);
    JsonNode notes =
        Cli.run("compress", model, "--recipe", "int8", "-o", output, "--json").json().get("notes");
    assertTrue(told.contains(notes.get(0).asString()), notes.toString());
    Path tiny = TinyOnnx.write(folder.resolve("tiny.onnx"));
    String all = Cli.run("compress", tiny, "--recipe", "int8", "-o", output).out();
    assertFalse(all.contains("no layer"), all);
  }
}
