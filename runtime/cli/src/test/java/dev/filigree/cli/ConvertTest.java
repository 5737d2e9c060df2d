package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.compress.Compression;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class ConvertTest {
  @TempDir Path folder;
  private Path model;
  private Path input;

  @BeforeEach
  void aModel() {
    model = TinyOnnx.write(folder.resolve("tiny.onnx"));
    input = folder.resolve("x.npy");
    Npy.write(input, Tensor.of(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 1, 8));
  }

  private float[] output(Path file) {
    Cli.run("run", file, "--input", "x=" + input, "--output-dir", folder, "--json").json();
    return Npy.read(folder.resolve("y.npy")).toFloats();
  }

  @Test
  void aSparseModelBecomesADenseOnnxFileThatComputesTheSame() {
    Path sparse = folder.resolve("sparse.filigree");
    Cli.run("compress", model, "--recipe", "2:4", "-o", sparse, "--json").json();
    Path onnx = folder.resolve("dense.onnx");
    JsonNode document = Cli.run("convert", sparse, onnx, "--json").json();
    assertTrue(document.get("lossless").asBoolean());
    assertEquals(onnx.toString(), document.get("output").asString());
    assertArrayEquals(output(sparse), output(onnx));
    Path again = folder.resolve("again.filigree");
    Cli.run("convert", onnx, again, "--json").json();
    assertArrayEquals(output(sparse), output(again));
  }

  @Test
  void aFolderReceivesTheLayersInTheirPublishedForm() throws IOException {
    Path sparse = folder.resolve("sparse.filigree");
    Cli.run("compress", model, "--recipe", "2:4-int8", "-o", sparse, "--json").json();
    Path checkpoint = folder.resolve("checkpoint");
    Cli.run("convert", sparse, checkpoint, "--json").json();
    assertTrue(Files.readString(checkpoint.resolve("config.json")).contains("sparse-24-bitmask"));
    assertTrue(Files.size(checkpoint.resolve("model.safetensors")) > 0);
  }

  @Test
  void aFolderWithoutAFamilySaysThatItHoldsWeightsOnly() {
    Path checkpoint = folder.resolve("tiny-1.5B");
    Cli.Result written = Cli.run("convert", model, checkpoint);
    assertEquals(0, written.code(), written.err());
    assertTrue(written.out().contains("keep " + model), written.out());
    assertFalse(Cli.run("convert", model, checkpoint, "--json").json().get("opens").asBoolean());
    String refused = Cli.run("inspect", checkpoint).failsWith(1).err();
    assertTrue(refused.contains("holds the weights of a model without a config.json"), refused);
    Path onnx = folder.resolve("again.onnx");
    assertTrue(Cli.run("convert", model, onnx, "--json").json().get("opens").asBoolean());
  }

  @Test
  void anUnknownEndingMakesNoFolderUnlessASlashAsksForOne() {
    Path odd = folder.resolve("tiny.safetensors");
    String refused = Cli.run("convert", model, odd).failsWith(2).err();
    assertTrue(refused.contains("ends in neither .filigree nor .onnx"), refused);
    assertFalse(Files.exists(odd));
    assertEquals(0, Cli.run("convert", model, odd + "/").code());
    assertTrue(Files.isDirectory(odd));
    assertEquals(0, Cli.run("convert", model, odd).code());
  }

  @Test
  void aFileKeepsItsRecipeInEveryForm() {
    Path sparse = folder.resolve("sparse.filigree");
    Cli.run("compress", model, "--recipe", "2:4-int8", "-o", sparse, "--json").json();
    Path archive = folder.resolve("archive.filigree");
    Cli.run("convert", sparse, archive, "--archive", "--json").json();
    Path plain = folder.resolve("plain.filigree");
    Cli.run("convert", archive, plain, "--json").json();
    try (Model first = Model.open(sparse);
        Model packed = Model.open(archive);
        Model last = Model.open(plain)) {
      String recipe = first.metadata().get(Compression.RECIPE);
      assertTrue(recipe.contains("2:4"), recipe);
      assertEquals(recipe, packed.metadata().get(Compression.RECIPE));
      assertEquals(first.metadata(), last.metadata());
    }
  }

  @Test
  void badTargetsAreRefusedBeforeAnyWork() throws IOException {
    Path file = Files.writeString(folder.resolve("notes.txt"), "x");
    assertTrue(Cli.run("convert", model, file).failsWith(2).err().contains("notes.txt"));
    Path nowhere = folder.resolve("nowhere").resolve("x.onnx");
    assertTrue(Cli.run("convert", model, nowhere).failsWith(2).err().contains("nowhere"));
    assertEquals("x", Files.readString(file));
  }
}
