package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
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

/**
 * Models judged by images and by arrays. The network convolves an image and says of which colour it
 * has most.
 */
class ExaminationTest {
  private static final int[] COLORS = {0xff0000, 0x00ff00, 0x0000ff};

  @TempDir private Path folder;
  private Path model;
  private Path images;
  private Path labels;

  @BeforeEach
  void writeModelAndImages() throws IOException {
    float[] mixed = new Samples(4).normal(9);
    for (int i = 0; i < 9; i++) {
      mixed[i] = 0.1f * mixed[i] + (i % 4 == 0 ? 1 : 0);
    }
    model =
        new OnnxModel(13)
            .input("x", DType.F32, "n", "3", "4", "4")
            .initializer("mix.weight", Tensor.of(mixed, 3, 3, 1, 1))
            .initializer("axes", Tensor.of(new long[] {2, 3}, 2))
            .node("Conv", "mixed", "x", "mix.weight")
            .node("ReduceSum", "sums", "mixed", "axes")
            .node("Flatten", "y", "sums")
            .output("y", DType.F32, "n", "3")
            .write(folder.resolve("colors.onnx"));
    Files.writeString(folder.resolve("image.json"), "{}");
    labels = Files.writeString(folder.resolve("names.txt"), "red\ngreen\nblue\n");
    images = folder.resolve("images");
    image("red/1.png", COLORS[0]);
    image("red/2.png", 0xe01000);
    image("green/1.png", COLORS[1]);
    image("blue/1.png", COLORS[2]);
    // somebody laid it in the wrong folder
    image("blue/2.png", COLORS[1]);
  }

  private Path image(String name, int color) throws IOException {
    BufferedImage image = new BufferedImage(4, 4, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < 16; i++) {
      image.setRGB(i % 4, i / 4, color);
    }
    Path file = images.resolve(name);
    Files.createDirectories(file.getParent());
    ImageIO.write(image, "png", file.toFile());
    return file;
  }

  private Path int8() {
    Path int8 = folder.resolve("int8.filigree");
    assertEquals(0, Cli.run("compress", model, "--recipe", "int8", "-o", int8).code());
    return int8;
  }

  @Test
  void imagesTellClassesAndAccuracyWhereTheirFoldersAreLabels() {
    Path int8 = int8();
    JsonNode result =
        Cli.run("compare", model, int8, "--image", images, "--labels", labels, "--json").json();
    assertTrue(result.get("meanCosine").asDouble() > 0.999, result.toString());
    assertEquals(1, result.get("sameClass").asDouble());
    assertEquals(0.8, result.get("accuracy").asDouble());
    assertEquals(0.8, result.get("originalAccuracy").asDouble());
    assertEquals("mix", result.get("layers").get(0).get("name").asString());
    double error = result.get("layers").get(0).get("outputError").asDouble();
    assertTrue(error > 0 && error < 0.02, "output error " + error);
    String text = Cli.run("compare", model, int8, "--image", images, "--labels", labels).out();
    assertTrue(text.contains("80.0 % are right, instead of 80.0 %"), text);
    // without names nobody knows what is right
    JsonNode nameless = Cli.run("compare", model, int8, "--image", images, "--json").json();
    assertFalse(nameless.has("accuracy"), nameless.toString());
    assertEquals(1, nameless.get("sameClass").asDouble());
  }

  @Test
  void inspectAndConvertSeeCompressedConvolutions() {
    Path int8 = int8();
    JsonNode tensor = null;
    for (JsonNode each : Cli.run("inspect", int8, "--json").json().get("tensors")) {
      tensor = each.get("name").asString().equals("mix") ? each : tensor;
    }
    assertEquals("int8", tensor.get("format").asString());
    assertEquals(4, tensor.get("shape").size());
    assertEquals(9 + 3 * 4, tensor.get("bytes").asInt());
    for (String other : new String[] {"back.onnx", "checkpoint"}) {
      Path converted = folder.resolve(other);
      Cli.Result result = Cli.run("convert", int8, converted);
      assertEquals(0, result.code(), result.err());
    }
    JsonNode same =
        Cli.run("compare", int8, folder.resolve("back.onnx"), "--image", images, "--json").json();
    assertEquals(1, same.get("meanCosine").asDouble(), 1e-7);
    JsonNode stored =
        Cli.run("inspect", folder.resolve("back.onnx"), "--json").json().get("tensors").get(0);
    assertEquals("plain", stored.get("format").asString());
    JsonNode clusters =
        Cli.run("clusters", model, "--layer", "mix", "--bits", "1", "--json").json();
    assertEquals("mix", clusters.get("layers").get(0).get("name").asString());
  }

  @Test
  void reportSweepsAnImageModel() throws IOException {
    Path out = folder.resolve("report");
    JsonNode report =
        Cli.run(
                "report",
                model,
                "--recipe",
                "codebook-4bit",
                "--image",
                images,
                "--labels",
                labels,
                "--output-dir",
                out,
                "--json")
            .json();
    assertEquals(4, report.get("recipes").size());
    for (JsonNode row : report.get("recipes")) {
      assertEquals(0.8, row.get("accuracy").asDouble(), row.toString());
      assertEquals(1, row.get("sameClass").asDouble(), row.toString());
      assertTrue(row.get("latencyMillis").asDouble() > 0);
    }
    String markdown = Files.readString(out.resolve("report.md"));
    assertTrue(markdown.contains("| same class | accuracy |"), markdown);
    assertTrue(markdown.contains("| 100.0 % | 0.8000 |"), markdown);
    assertTrue(Files.exists(out.resolve("pareto-bytes.png")));
  }

  @Test
  void searchChoosesForConvolutionsByImages() {
    Path found = folder.resolve("found.json");
    JsonNode result = search("bytes=30", found).json();
    JsonNode layer = result.get("layers").get(0);
    assertEquals("mix", layer.get("name").asString());
    assertEquals("int8", layer.get("recipe").asString());
    assertEquals(0, Cli.run("compress", model, "--recipe", found, "-o", int8()).code());
    // whether a layer this small gets faster is chance, but it is timed
    Cli.Result timed = search("latency=0.9", found);
    if (timed.code() == 0) {
      JsonNode options = timed.json().get("layers").get(0).get("options");
      assertTrue(options.get(0).get("micros").asDouble() > 0, options.toString());
    } else {
      assertTrue(timed.err().contains("no choice keeps to 0.900 of the dense"), timed.err());
    }
  }

  private Cli.Result search(String budget, Path found) {
    return Cli.run(
        "search",
        model,
        "--budget",
        budget,
        "--option",
        "int8",
        "--image",
        images,
        "--evaluations",
        "3",
        "-o",
        found,
        "--json");
  }

  @Test
  void arraysAreComparedByTheFirstOutput() {
    Path array = folder.resolve("x.npy");
    Npy.write(array, Tensor.of(new Samples(1).normal(70 * 48), 70, 3, 4, 4));
    JsonNode result = Cli.run("compare", model, int8(), "--input", "x=" + array, "--json").json();
    double mean = result.get("meanCosine").asDouble();
    assertTrue(mean > 0.999 && mean < 1, "mean cosine " + mean);
    assertFalse(result.has("sameClass"));
  }

  @Test
  void singleNumbersOfAllSamplesAreOneVector() {
    Path scorer =
        new OnnxModel(13)
            .input("x", DType.F32, "n", "16")
            .initializer("w", Tensor.of(new Samples(3).normal(16), 16, 1))
            .node("MatMul", "y", "x", "w")
            .output("y", DType.F32, "n", "1")
            .write(folder.resolve("scorer.onnx"));
    Path pruned = folder.resolve("pruned.filigree");
    assertEquals(0, Cli.run("compress", scorer, "--recipe", "2:4", "-o", pruned).code());
    Path array = folder.resolve("s.npy");
    Npy.write(array, Tensor.of(new Samples(4).normal(20 * 16), 20, 16));
    JsonNode result = Cli.run("compare", scorer, pruned, "--input", "x=" + array, "--json").json();
    double cosine = result.get("meanCosine").asDouble();
    assertTrue(cosine > 0.5 && cosine < 0.999, "more than signs: " + cosine);
    assertEquals(cosine, result.get("minCosine").asDouble());
    assertTrue(result.get("spearman").isNull(), "one vector has no neighbours");
    assertTrue(result.get("top10Overlap").isNull(), "one vector has no neighbours");
    Cli.Result told = Cli.run("compare", scorer, pruned, "--input", "x=" + array);
    assertFalse(told.out().contains("NaN"), told.out());
  }

  @Test
  void samplesOfAnotherWidthAreRefused() {
    Path array = folder.resolve("wide.npy");
    Npy.write(array, Tensor.of(new float[5 * 3 * 5 * 4], 5, 3, 5, 4));
    Path int8 = int8();
    String wide = Cli.run("compare", model, int8, "--input", "x=" + array).failsWith(1).err();
    assertTrue(wide.contains("input 'x' is f32[5, 3, 5, 4]; the model takes x:"), wide);
  }

  @Test
  void wrongUseIsRefusedByName() {
    Path int8 = int8();
    String none = Cli.run("compare", model, int8).failsWith(2).err();
    assertTrue(none.contains("--image FILES"), none);
    String two =
        Cli.run("compare", model, int8, "--image", images, "--text", "a").failsWith(2).err();
    assertTrue(two.contains("pass one kind"), two);
    String labelled =
        Cli.run("compare", model, int8, "--text", "a", "--labels", labels).failsWith(2).err();
    assertTrue(labelled.contains("--labels and --preprocessing belong to --image"), labelled);
    String learned =
        Cli.run("report", model, "--image", images, "--calibration-image", images.resolve("green"))
            .failsWith(2)
            .err();
    assertTrue(learned.contains("of the calibration; judge by others"), learned);
    Path array = folder.resolve("z.npy");
    Npy.write(array, Tensor.of(new float[48], 1, 3, 4, 4));
    String unknown = Cli.run("compare", model, int8, "--input", "z=" + array).failsWith(2).err();
    assertTrue(unknown.contains("has no array for the input 'x'"), unknown);
    String pairs =
        Cli.run("report", model, "--image", images, "--other-texts", labels).failsWith(2).err();
    assertTrue(pairs.contains("belong to --text-file"), pairs);
  }
}
