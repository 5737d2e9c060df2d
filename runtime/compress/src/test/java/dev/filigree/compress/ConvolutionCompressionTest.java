package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;
import dev.filigree.testing.Floats;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A network of convolutions: one of images with a bias, one that is normalised and added to what
 * came before, one of each channel for itself, and a linear layer at the end.
 */
class ConvolutionCompressionTest {
  private static final int CHANNELS = 16;
  private static final int SAMPLES = 24;
  private static final Map<String, long[]> PADDED = Map.of("pads", new long[] {1, 1, 1, 1});
  private static final Map<String, long[]> SEPARATE =
      Map.of("pads", new long[] {1, 1, 1, 1}, "group", new long[] {CHANNELS});

  @TempDir private Path folder;
  private Model model;

  @BeforeEach
  void open() {
    Samples samples = new Samples(11);
    String c = Integer.toString(CHANNELS);
    float[] variance = new float[CHANNELS];
    float[] shift = samples.normal(CHANNELS);
    for (int i = 0; i < CHANNELS; i++) {
      shift[i] *= 100;
      variance[i] = (float) Math.exp(i % 5 - 2);
    }
    model =
        Model.open(
            new OnnxModel(13)
                .input("x", DType.F32, "n", "3", "9", "7")
                .initializer(
                    "stem.weight", Tensor.of(samples.normal(CHANNELS * 27), CHANNELS, 3, 3, 3))
                .initializer("stem.bias", Tensor.of(samples.normal(CHANNELS), CHANNELS))
                .initializer(
                    "block.weight",
                    Tensor.of(samples.normal(CHANNELS * CHANNELS * 9), CHANNELS, CHANNELS, 3, 3))
                .initializer("gamma", Tensor.of(samples.normal(CHANNELS), CHANNELS))
                .initializer("beta", Tensor.of(shift, CHANNELS))
                .initializer("mean", Tensor.of(samples.normal(CHANNELS), CHANNELS))
                .initializer("variance", Tensor.of(variance, CHANNELS))
                .initializer(
                    "depth.weight", Tensor.of(samples.normal(CHANNELS * 9), CHANNELS, 1, 3, 3))
                .initializer("head.weight", Tensor.of(samples.normal(CHANNELS * 5), CHANNELS, 5))
                .node("Conv", PADDED, "s", "x", "stem.weight", "stem.bias")
                .node("Relu", "r", "s")
                .node("Conv", PADDED, "b", "r", "block.weight")
                .node("BatchNormalization", "bn", "b", "gamma", "beta", "mean", "variance")
                .node("Add", "a", "bn", "r")
                .node("Relu", "ra", "a")
                .node("Conv", SEPARATE, "d", "ra", "depth.weight")
                .node("GlobalAveragePool", "p", "d")
                .node("Flatten", "f", "p")
                .node("MatMul", "y", "f", "head.weight")
                .output("a", DType.F32, "n", c, "9", "7")
                .output("y", DType.F32, "n", "5")
                .write(folder.resolve("net.onnx")));
  }

  @AfterEach
  void close() {
    model.close();
  }

  private static Tensor images() {
    float[] values = new Samples(5).normal(SAMPLES * 3 * 63);
    return Tensor.of(DType.F32, Shape.of(SAMPLES, 3, 9, 7), MemorySegment.ofArray(values));
  }

  private static Map<String, float[]> run(Model model) {
    SessionOptions scalar = SessionOptions.defaults().withKernels("scalar").withThreads(1);
    try (Session session = model.session(scalar)) {
      Map<String, Tensor> results = session.run(Map.of("x", images()));
      return Map.of("a", results.get("a").toFloats(), "y", results.get("y").toFloats());
    }
  }

  /** Norm of the change of the last convolution's input over its norm. */
  private double error(Model compressed) {
    float[] expected = run(model).get("a");
    float[] found = run(compressed).get("a");
    double lost = 0;
    double norm = 0;
    for (int i = 0; i < found.length; i++) {
      lost += (found[i] - expected[i]) * (double) (found[i] - expected[i]);
      norm += expected[i] * (double) expected[i];
    }
    return Math.sqrt(lost / norm);
  }

  private Compression compress(String recipe) {
    Calibration calibration = new Calibration(List.of(Map.of("x", images())));
    Recipe named = Recipe.named(recipe);
    return named.needsCalibration()
        ? Compressor.compress(model, named, calibration, 2, Progress.NONE)
        : Compressor.compress(model, named, 2, Progress.NONE);
  }

  private double errorOf(String recipe) {
    try (Model compressed = compress(recipe).toModel()) {
      return error(compressed);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "fp16, 0.001",
    "int8, 0.01",
    "int4, 0.15",
    "codebook-4bit, 0.15",
    "2:4, 0.6",
    "2:4-fp16, 0.6",
    "2:4-int8, 0.6",
    "2:4-codebook-4bit, 0.6",
    "unstructured-50, 0.6",
    "int4-gptq, 0.12",
    "codebook-4bit-weighted, 0.15",
    "2:4-sparsegpt-int8, 0.5"
  })
  void everyRecipeReachesConvolutionsAndSurvivesTheFile(String recipe, double most) {
    Compression compression = compress(recipe);
    assertEquals(
        Prediction.of(model, Recipe.named(recipe)).bytes(), compression.bytesAfter(), recipe);
    Path file = folder.resolve("net.filigree");
    compression.write(file);
    Path archive = folder.resolve("archive.filigree");
    compression.write(archive, true);
    try (Model memory = compression.toModel();
        Model written = Model.open(file);
        Model coded = Model.open(archive)) {
      double error = error(memory);
      assertTrue(error > 0 && error < most, recipe + " " + error);
      for (Model each : List.of(written, coded)) {
        Floats.assertSameBits(run(memory).get("y"), run(each).get("y"));
      }
      Compression.Layer block = layer(compression, "block");
      // what is planned is the compressed form, though a normalisation is folded into it
      Node node =
          written.graph().nodes().stream()
              .filter(n -> Convolution.source(n).equals("block.weight"))
              .findFirst()
              .orElseThrow();
      Constant planned = written.graph().constants().get(node.inputs().get(Convolution.WEIGHTS));
      assertEquals(
          block.weights().getClass(), ((Constant.Compressed) planned).weights().getClass());
      assertTrue(block.weights().bytes() < block.matrix().weights().bytes(), recipe);
      List<String> names = new ArrayList<>();
      written.convolutions().forEach(matrix -> names.add(matrix.name()));
      assertEquals(List.of("stem", "block", "depth"), names);
    }
  }

  private static Compression.Layer layer(Compression compression, String name) {
    return compression.layers().stream()
        .filter(layer -> layer.matrix().name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void whatIsFittedToImagesLosesLess() {
    assertTrue(errorOf("int4-gptq") < errorOf("int4"));
    assertTrue(errorOf("2:4-sparsegpt") < 0.9 * errorOf("2:4"));
  }

  /**
   * What a normalisation adds is no bias of the layer's own, and not for its weights to make up.
   */
  @Test
  void weightsAreNotFittedToWhatIsAddedBehindThem() {
    Compression.Layer block = layer(compress("int4-gptq"), "block");
    assertTrue(block.weightError() < 0.15, "weight error " + block.weightError());
    assertTrue(block.outputError() < 0.15, "output error " + block.outputError());
  }

  @Test
  void calibrationLeavesConvolutionsInGroupsAndSaysSo() {
    Compression compression = compress("2:4-sparsegpt");
    assertEquals(
        "its channels are in 16 groups, which calibration cannot follow",
        layer(compression, "depth").refused());
    assertEquals("3 channels do not make groups of 4", layer(compression, "stem").refused());
    assertNull(layer(compression, "block").refused());
    assertEquals(SAMPLES * 63, layer(compression, "block").calibrated().tokens());
    assertTrue(layer(compression, "block").outputError() > 0);
  }

  @Test
  void aStageThatCannotApplyLeavesTheOthers() {
    Compression.Layer stem = layer(compress("2:4-int8"), "stem");
    assertEquals("3 channels do not make groups of 4", stem.refused());
    assertEquals("int8", stem.weights().format());
  }

  @Test
  void noMoreImagesAreTakenThanMemoryBears() {
    List<Map<String, Tensor>> batches = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      float[] image = new Samples(i).normal(3 * 63);
      batches.add(Map.of("x", Tensor.of(image, 1, 3, 9, 7)));
    }
    Calibration all = new Calibration(batches);
    SessionOptions options = SessionOptions.defaults().withThreads(1);
    Kernels kernels = KernelSets.open("");
    // of an image two or three values of 16 channels lie side by side, in two models
    long plane = 63 * Float.BYTES;
    assertEquals(all, Footprint.fitting(model.graph(), all, options, kernels, 1 << 30));
    for (long images : new long[] {0, 1, 4}) {
      long most = images * 2 * 3 * CHANNELS * plane;
      int taken = Footprint.fitting(model.graph(), all, options, kernels, most).samples();
      assertTrue(taken >= Math.max(1, images) && taken <= 2 * images + 1, images + " " + taken);
    }
  }

  @Test
  void layersAreComparedByWhatTheirWindowsSee() {
    Calibration samples = new Calibration(List.of(Map.of("x", images())));
    try (Model int8 = compress("int8").toModel()) {
      List<LayerErrors.Layer> errors = LayerErrors.of(model, int8, samples, 2, Progress.NONE);
      assertEquals(
          List.of("stem", "block"), errors.stream().map(LayerErrors.Layer::name).limit(2).toList());
      errors.forEach(
          layer ->
              assertTrue(layer.outputError() > 0 && layer.outputError() < 0.01, layer.toString()));
    }
  }
}
