package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
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

  @Test
  void layersThatAStagePassesOverForOneReasonShareALine() {
    Samples random = new Samples(2);
    OnnxModel net = new OnnxModel(14).input("x", DType.F32, "n", "4", "5", "5");
    String last = "x";
    for (String name : List.of("first", "second", "third")) {
      net.initializer(name + ".weight", Tensor.of(random.normal(4 * 9), 4, 1, 3, 3))
          .node(
              "Conv",
              Map.of("group", new long[] {4}, "pads", new long[] {1, 1, 1, 1}),
              name,
              last,
              name + ".weight");
      last = name;
    }
    Path model =
        net.initializer("head.weight", Tensor.of(random.normal(4 * 4), 4, 4, 1, 1))
            .node("Conv", "y", last, "head.weight")
            .output("y", DType.F32, "n", "4", "5", "5")
            .write(folder.resolve("depth.onnx"));
    Path output = folder.resolve("out.filigree");
    String told = Cli.run("compress", model, "--recipe", "2:4", "-o", output).out();
    assertEquals(
        List.of(
            "first (and 2 more layers): stays as it is, one channel does not make a group of 4"),
        told.lines().filter(line -> line.contains("stays as it is")).toList(),
        told);
  }
}
