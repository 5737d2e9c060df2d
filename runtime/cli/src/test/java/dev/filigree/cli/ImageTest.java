package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code run --image}. The model scores an image by the sum of its red, green and blue. */
class ImageTest {
  @TempDir private Path folder;
  private Path model;
  private Path red;
  private Path blue;

  @BeforeEach
  void writeModelAndImages() throws IOException {
    model =
        new OnnxModel(13)
            .input("x", DType.F32, "n", "3", "2", "2")
            .initializer("axes", Tensor.of(new long[] {2, 3}, 2))
            .node("ReduceSum", "sums", "x", "axes")
            .node("Flatten", "y", "sums")
            .output("y", DType.F32, "n", "3")
            .write(folder.resolve("colors.onnx"));
    Files.createDirectories(folder.resolve("images/deep"));
    red = image("images/red.png", 0xff0000);
    blue = image("images/deep/blue.PNG", 0x0000ff);
    Files.writeString(folder.resolve("images/notes.txt"), "no image");
    Files.writeString(folder.resolve("image.json"), "{}");
  }

  private Path image(String name, int color) throws IOException {
    BufferedImage image = new BufferedImage(2, 2, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < 4; i++) {
      image.setRGB(i % 2, i / 2, color);
    }
    Path file = folder.resolve(name);
    ImageIO.write(image, "png", file.toFile());
    return file;
  }

  @Test
  void imagesGetTheirLikeliestClassesWithProbabilities() {
    JsonNode document =
        Cli.run("run", model, "--image", red, blue, "--json", "--device", "cpu").json();
    assertEquals(model.toString(), document.get("model").asString());
    assertEquals("cpu", document.get("device").asString());
    assertEquals("dense", document.get("recipe").asString());
    assertEquals(2, document.get("images").size());
    JsonNode first = document.get("images").get(0);
    assertEquals(red.toString(), first.get("path").asString());
    assertEquals(0, first.get("class").asInt());
    double e4 = Math.exp(4);
    assertEquals(e4 / (e4 + 2), first.get("score").asDouble(), 1e-5);
    assertEquals(3, first.get("top").size());
    assertEquals(1 / (e4 + 2), first.get("top").get(2).get("score").asDouble(), 1e-5);
    assertEquals(2, document.get("images").get(1).get("class").asInt());
    assertTrue(document.get("elapsedMillis").asDouble() > 0);
  }

  @Test
  void foldersAreSearchedAndClassesNamed() throws IOException {
    Path labels = Files.writeString(folder.resolve("names.txt"), "rot\ngrün\nblau\n");
    Cli.Result result =
        Cli.run("run", model, "--image", folder.resolve("images"), "--labels", labels, "--json");
    JsonNode images = result.json().get("images");
    assertEquals(2, images.size());
    assertEquals("blau", images.get(0).get("label").asString());
    assertEquals("rot", images.get(1).get("label").asString());
    String text = Cli.run("run", model, "--image", red, "--labels", labels).out();
    assertTrue(text.contains("0.9647      0  rot"), text);
  }

  @Test
  void theDescriptionTravelsWithTheModel() throws IOException {
    Files.writeString(folder.resolve("colors-labels.txt"), "r\ng\nb\n");
    Path container = folder.resolve("elsewhere/colors.filigree");
    Files.createDirectories(container.getParent());
    try (Model opened = Model.open(model)) {
      opened.writer().write(container);
    }
    JsonNode image =
        Cli.run("run", container, "--image", blue, "--json").json().get("images").get(0);
    assertEquals("b", image.get("label").asString());
  }

  @Test
  void aGuessIsSaidAloud() throws IOException {
    Files.delete(folder.resolve("image.json"));
    Cli.Result result = Cli.run("run", model, "--image", red, "--json");
    assertTrue(result.err().contains("no image.json"), result.err());
    assertEquals(0.485, result.json().get("preprocessing").get("mean").get(0).asDouble(), 1e-6);
  }

  @Test
  void wrongUseIsRefusedByName() throws IOException {
    Path names = Files.writeString(folder.resolve("names.txt"), "one\n");
    Path broken = Files.writeString(folder.resolve("broken.json"), "{\"mean\": 3}");
    Path empty = Files.createDirectories(folder.resolve("empty"));
    assertSays(2, "does not exist", "--image", folder.resolve("none.png"));
    assertSays(2, "without images", "--image", empty);
    assertSays(2, "belong to --image", "--labels", names);
    assertSays(2, "either texts", "--image", red, "--text", "a");
    assertSays(2, "--output-dir", "--image", red, "--output-dir", folder);
    assertSays(1, "names 1 classes", "--image", red, "--labels", names);
    assertSays(1, "\"mean\"", "--image", red, "--preprocessing", broken);
    assertSays(1, "notes.txt", "--image", folder.resolve("images/notes.txt"));
  }

  private void assertSays(int code, String part, Object... more) {
    Object[] arguments = new Object[more.length + 2];
    arguments[0] = "run";
    arguments[1] = model;
    System.arraycopy(more, 0, arguments, 2, more.length);
    Cli.Result result = Cli.run(arguments).failsWith(code);
    assertTrue(result.err().contains(part), result.err());
  }
}
