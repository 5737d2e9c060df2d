package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What recipes learn from beside texts: arrays and images. */
class CalibrationOptionsTest {
  private static final int SAMPLES = 70;

  @TempDir private Path folder;
  private Path recipe;
  private Path output;

  @BeforeEach
  void writeRecipe() throws IOException {
    recipe =
        Files.writeString(
            folder.resolve("recipe.json"),
            """
            {"version": 1, "name": "learned", "stages": [
              {"prune": {"method": "sparsegpt", "mask_structure": "2:4", "refit": true}}]}
            """);
    output = folder.resolve("out.filigree");
  }

  private Path array(int samples, int width) {
    Path file = folder.resolve("x" + samples + "x" + width + ".npy");
    Npy.write(file, Tensor.of(new Samples(1).normal(samples * width), samples, width));
    return file;
  }

  @Test
  void arraysAreSamplesAlongTheirFirstAxis() {
    Path model = TinyOnnx.write(folder.resolve("tiny.onnx"));
    Cli.Result result =
        Cli.run(
            "compress",
            model,
            "--recipe",
            recipe,
            "-o",
            output,
            "--json",
            "--calibration-input",
            "x=" + array(SAMPLES, TinyOnnx.IN),
            "--calibration-samples",
            SAMPLES - 5);
    JsonNode document = result.json();
    String notes = document.get("notes").toString();
    assertTrue(notes.contains("learned from " + (SAMPLES - 5) + " input vectors"), notes);
    double error = document.get("layers").get(0).get("outputError").asDouble();
    assertTrue(error > 0 && error < 1, "output error " + error);
  }

  @Test
  void samplesThatNoRecipeLearnsFromAreToldOf() {
    Path model = TinyOnnx.write(folder.resolve("tiny.onnx"));
    String x = "x=" + array(SAMPLES, TinyOnnx.IN);
    Cli.Result plain =
        Cli.run(
            "compress", model, "--recipe", "2:4", "-o", output, "--json", "--calibration-input", x);
    assertEquals("2:4", plain.json().get("recipe").asString());
    assertEquals(
        "filigree: --calibration-input is not used: recipe 2:4 does not learn from samples\n",
        plain.err());
    Cli.Result learned =
        Cli.run("compress", model, "--recipe", recipe, "-o", output, "--calibration-input", x);
    assertEquals(0, learned.code(), learned.err());
    assertEquals("", learned.err());
  }

  @Test
  void imagesArePreprocessedAsTheModelAsks() throws IOException {
    Samples random = new Samples(2);
    Path model =
        new OnnxModel(13)
            .input("x", DType.F32, "n", "3", "2", "2")
            .node("Flatten", "flat", "x")
            .initializer("w", Tensor.of(random.normal(12 * 4), 12, 4))
            .node("MatMul", "y", "flat", "w")
            .output("y", DType.F32, "n", "4")
            .write(folder.resolve("pixels.onnx"));
    Files.writeString(folder.resolve("image.json"), "{}");
    Path images = Files.createDirectories(folder.resolve("images"));
    for (int i = 0; i < 40; i++) {
      BufferedImage image = new BufferedImage(2, 2, BufferedImage.TYPE_INT_RGB);
      for (int pixel = 0; pixel < 4; pixel++) {
        image.setRGB(pixel % 2, pixel / 2, random.between(0, 0xffffff));
      }
      ImageIO.write(image, "png", images.resolve(i + ".png").toFile());
    }
    JsonNode document =
        Cli.run(
                "compress",
                model,
                "--recipe",
                recipe,
                "-o",
                output,
                "--json",
                "--calibration-image",
                images)
            .json();
    String notes = document.get("notes").toString();
    assertTrue(notes.contains("learned from 40 input vectors"), notes);
    assertEquals("2:4 f32", document.get("layers").get(0).get("format").asString());
  }

  @Test
  void wrongSamplesAreRefusedAndLeaveNoFile() throws IOException {
    Path model = TinyOnnx.write(folder.resolve("tiny.onnx"));
    Path good = array(SAMPLES, TinyOnnx.IN);
    Path texts = Files.writeString(folder.resolve("texts.txt"), "a\n");
    assertSays(model, 2, "no array for the input 'x'", "z=" + good);
    assertSays(model, 2, "z is no input", "x=" + good, "--calibration-input", "z=" + good);
    assertSays(model, 2, "either from texts", "x=" + good, "--calibration", texts);
    assertSays(model, 1, "none.npy", "x=" + folder.resolve("none.npy"));
    Path scalar = folder.resolve("scalar.npy");
    Npy.write(scalar, Tensor.zeros(DType.F32, Shape.of()));
    assertSays(model, 2, "no samples along its first axis", "x=" + scalar);
  }

  @Test
  void anArrayAmongTextsIsToldTheOptionThatReadsIt() throws IOException {
    Path model = TinyOnnx.write(folder.resolve("tiny.onnx"));
    Path samples = array(SAMPLES, TinyOnnx.IN);
    Cli.Result result =
        Cli.run("compress", model, "--recipe", recipe, "-o", output, "--calibration", samples)
            .failsWith(2);
    assertTrue(result.err().contains("--calibration-input NAME=" + samples), result.err());
  }

  private void assertSays(Path model, int code, String part, Object first, Object... more) {
    Object[] arguments = new Object[8 + more.length];
    Object[] start = {
      "compress", model, "--recipe", recipe, "-o", output, "--calibration-input", first
    };
    System.arraycopy(start, 0, arguments, 0, start.length);
    System.arraycopy(more, 0, arguments, start.length, more.length);
    Cli.Result result = Cli.run(arguments).failsWith(code);
    assertTrue(result.err().contains(part), result.err());
    assertTrue(Files.notExists(output), "a file was left behind");
  }
}
