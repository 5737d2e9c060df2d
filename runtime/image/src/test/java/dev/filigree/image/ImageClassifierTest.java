package dev.filigree.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.onnxruntime.OrtException;
import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.testing.Networks;
import dev.filigree.testing.OnnxModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Classifiers against ONNX Runtime, image by image, and against the truth. */
class ImageClassifierTest {
  /** Folder with {@code resnet20/resnet20.onnx} and {@code cifar10-jpeg}, for who has them. */
  private static final String DATA = "filigree.data";

  private static final List<String> CIFAR =
      List.of(
          "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck");

  private static final String CIFAR_PREPROCESSING =
      """
      {"mean": [0.4914, 0.4822, 0.4465], "std": [0.2023, 0.1994, 0.2010]}\
      """;

  @TempDir private Path folder;

  private List<Path> digits(int count, int size, boolean colors, long seed) {
    Random random = new Random(seed);
    List<Path> files = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Path file = folder.resolve("digit-" + seed + "-" + i + ".png");
      files.add(Digits.write(file, i % 10, size, colors, random));
    }
    return files;
  }

  /** A softmax in double, apart from the classifier's own. */
  private static double[] shares(float[] scores) {
    double sum = 0;
    for (float score : scores) {
      sum += Math.exp(score);
    }
    double[] shares = new double[scores.length];
    for (int i = 0; i < shares.length; i++) {
      shares[i] = Math.exp(scores[i]) / sum;
    }
    return shares;
  }

  private static Tensor input(DType dtype, Preprocessing preprocessing, Path file) {
    Preprocessing.Planes planes = preprocessing.apply(file.toString(), Pixels.read(file));
    Tensor x =
        Tensor.zeros(
            dtype,
            Shape.of(
                1,
                preprocessing.channels().count(),
                planes.size().height(),
                planes.size().width()));
    for (int i = 0; i < planes.values().length; i++) {
      x.setDouble(i, planes.values()[i]);
    }
    return x;
  }

  /** Asserts that both give each image the same class and probabilities; returns the classes. */
  private static int[] assertAgrees(Path file, DType dtype, List<Path> images, double tolerance)
      throws OrtException {
    int[] classes = new int[images.size()];
    try (Model model = Model.open(file);
        ImageClassifier classifier = ImageClassifier.open(model);
        OnnxRuntime peer = new OnnxRuntime(file)) {
      List<Classification> results = classifier.classify(images);
      for (int i = 0; i < classes.length; i++) {
        float[] scores = peer.run(input(dtype, classifier.preprocessing(), images.get(i)));
        double[] expected = shares(scores);
        int best = 0;
        for (int c = 0; c < expected.length; c++) {
          best = expected[c] > expected[best] ? c : best;
          assertEquals(
              expected[c],
              results.get(i).probability(c),
              tolerance,
              images.get(i) + ", class " + c);
        }
        classes[i] = results.get(i).best();
        if (expected[best] - second(expected, best) > 2 * tolerance) {
          assertEquals(best, classes[i], images.get(i).toString());
        }
      }
    }
    return classes;
  }

  private static double second(double[] shares, int best) {
    double second = 0;
    for (int c = 0; c < shares.length; c++) {
      second = c == best ? second : Math.max(second, shares[c]);
    }
    return second;
  }

  /** The last layer that fits the features of drawn digits best (ridge regression). */
  private float[] trained(Path features, List<Path> images) {
    int width = Networks.LENET_FEATURES;
    double[][] a = new double[width][width + 10];
    Preprocessing preprocessing = grayscale();
    try (Model model = Model.open(features);
        Session session = model.session(SessionOptions.defaults())) {
      for (int i = 0; i < images.size(); i++) {
        Tensor x = input(DType.F32, preprocessing, images.get(i));
        float[] row = session.run(Map.of("x", x)).get("y").toFloats();
        for (int r = 0; r < width; r++) {
          for (int c = 0; c < width; c++) {
            a[r][c] += (double) row[r] * row[c];
          }
          for (int digit = 0; digit < 10; digit++) {
            a[r][width + digit] += row[r] * (digit == i % 10 ? 10.0 : -1.0);
          }
        }
      }
    }
    for (int r = 0; r < width; r++) {
      a[r][r] += 1e-2;
    }
    // Gauss and Jordan: the matrix is positive definite
    for (int pivot = 0; pivot < width; pivot++) {
      for (int r = 0; r < width; r++) {
        double factor = r == pivot ? 0 : a[r][pivot] / a[pivot][pivot];
        for (int c = pivot; c < width + 10 && factor != 0; c++) {
          a[r][c] -= factor * a[pivot][c];
        }
      }
    }
    float[] last = new float[width * 10];
    for (int r = 0; r < width; r++) {
      for (int digit = 0; digit < 10; digit++) {
        last[r * 10 + digit] = (float) (a[r][width + digit] / a[r][r]);
      }
    }
    return last;
  }

  private static Preprocessing grayscale() {
    return PreprocessingJson.parse("test", "{\"channels\": \"gray\"}");
  }

  @Test
  void leNetReadsDrawnDigitsAsOnnxRuntimeDoesAndAsTheyWereDrawn() throws IOException, OrtException {
    Files.writeString(folder.resolve("image.json"), "{\"channels\": \"gray\"}");
    Path features = Networks.leNet(folder.resolve("features.onnx"), DType.F32, false, null);
    float[] last = trained(features, digits(1000, 28, false, 1));
    List<Path> unseen = digits(200, 28, false, 2);
    Path whole = Networks.leNet(folder.resolve("lenet.onnx"), DType.F32, false, last);
    int[] classes = assertAgrees(whole, DType.F32, unseen, 1e-3);
    int right = 0;
    for (int i = 0; i < classes.length; i++) {
      right += classes[i] == i % 10 ? 1 : 0;
    }
    assertTrue(right >= 180, right + " of 200 digits are read right");

    Path half = Networks.leNet(folder.resolve("half.onnx"), DType.F16, false, last);
    assertAgrees(half, DType.F16, unseen.subList(0, 30), 2e-2);
  }

  @Test
  void weightsStoredSparseGiveTheResultsOfOnnxRuntime() throws IOException, OrtException {
    Files.writeString(folder.resolve("image.json"), "{\"channels\": \"gray\"}");
    float[] last = new float[Networks.LENET_FEATURES * 10];
    for (int i = 0; i < last.length; i += 2) {
      last[i] = (i % 7 - 3) * 0.1f;
    }
    Path file = Networks.leNet(folder.resolve("sparse.onnx"), DType.F32, true, last);
    assertAgrees(file, DType.F32, digits(10, 28, false, 3), 1e-4);
  }

  @Test
  void resNet20GivesTheResultsOfOnnxRuntimeImageByImage() throws IOException, OrtException {
    Files.writeString(folder.resolve("image.json"), CIFAR_PREPROCESSING);
    List<Path> images = digits(40, 32, true, 4);
    Path file = Networks.resNet20(folder.resolve("resnet20.onnx"), DType.F32);
    assertAgrees(file, DType.F32, images, 1e-3);
    Path half = Networks.resNet20(folder.resolve("half.onnx"), DType.F16);
    assertAgrees(half, DType.F16, images.subList(0, 5), 2e-2);
  }

  @Test
  void theTrainedResNet20ReachesItsAccuracyOnPhotographs() throws IOException, OrtException {
    String data = System.getProperty(DATA);
    assumeTrue(data != null, "name the folder of resnet20 and cifar10-jpeg with -D" + DATA);
    Files.writeString(folder.resolve("image.json"), CIFAR_PREPROCESSING);
    Path file = folder.resolve("resnet20.onnx");
    Files.copy(Path.of(data, "resnet20", "resnet20.onnx"), file);
    List<Path> images;
    try (Stream<Path> all = Files.walk(Path.of(data, "cifar10-jpeg"))) {
      images = all.filter(path -> path.toString().endsWith(".jpg")).sorted().toList();
    }
    int[] classes = assertAgrees(file, DType.F32, images, 1e-3);
    int right = 0;
    for (int i = 0; i < classes.length; i++) {
      String truth = images.get(i).getParent().getFileName().toString();
      right += CIFAR.get(classes[i]).equals(truth) ? 1 : 0;
    }
    assertTrue(right >= 0.8 * classes.length, right + " of " + classes.length + " are right");
  }

  @Test
  void batchesOfAnySizeGiveWhatSingleImagesGive() throws IOException {
    Path file = Networks.resNet20(folder.resolve("resnet20.onnx"), DType.F32);
    List<Path> images = digits(35, 32, true, 5);
    try (Model model = Model.open(file);
        ImageClassifier classifier = ImageClassifier.open(model)) {
      assertTrue(classifier.isGuessed());
      List<Classification> together = classifier.classify(images);
      for (int i : new int[] {0, 31, 32, 34}) {
        Classification alone = classifier.classify(List.of(images.get(i))).getFirst();
        for (int c = 0; c < 10; c++) {
          assertEquals(alone.probability(c), together.get(i).probability(c), 1e-5);
        }
      }
    }
  }

  @Test
  void probabilitiesOfTheNetworkItselfStayAsTheyAre() {
    Path file =
        new OnnxModel(13)
            .input("x", DType.F32, "n", "3", "1", "1")
            .node("Flatten", "flat", "x")
            .node("Softmax", "y", "flat")
            .output("y", DType.F32, "n", "3")
            .write(folder.resolve("softmax.onnx"));
    Path image = digits(1, 1, true, 6).getFirst();
    Preprocessing plain = PreprocessingJson.parse("test", "{}");
    try (Model model = Model.open(file);
        ImageClassifier classifier =
            ImageClassifier.open(model, SessionOptions.defaults(), Optional.of(plain))) {
      assertFalse(classifier.isGuessed());
      float[] pixels = plain.apply("image", Pixels.read(image)).values();
      double[] expected = shares(pixels);
      Classification found = classifier.classify(List.of(image)).getFirst();
      for (int c = 0; c < 3; c++) {
        assertEquals(expected[c], found.probability(c), 1e-6);
      }
    }
  }

  private static <E extends FiligreeException> void assertRefused(
      Class<E> type, Path file, String preprocessing, Path image, String... mentioned) {
    E refused =
        assertThrows(
            type,
            () -> {
              try (Model model = Model.open(file);
                  ImageClassifier classifier =
                      ImageClassifier.open(
                          model,
                          SessionOptions.defaults(),
                          Optional.of(PreprocessingJson.parse("test", preprocessing)))) {
                classifier.classify(List.of(image));
              }
            });
    for (String part : mentioned) {
      assertTrue(refused.getMessage().contains(part), refused.getMessage());
    }
  }

  @Test
  void whatDoesNotFitIsRefusedByName() throws IOException {
    Path file = Networks.resNet20(folder.resolve("resnet20.onnx"), DType.F32);
    Path image = digits(1, 40, true, 7).getFirst();
    assertRefused(InputException.class, file, "{}", image, image.toString(), "40 x 40", "32 x 32");
    assertRefused(
        InputException.class,
        file,
        "{\"channels\": \"gray\"}",
        image,
        "resnet20.onnx",
        "1 channels");
    assertRefused(
        InputException.class,
        file,
        "{\"crop\": {\"width\": 64, \"height\": 32}}",
        image,
        image.toString(),
        "64 x 32");
    Path text = Files.writeString(folder.resolve("text.png"), "no image");
    assertRefused(FormatException.class, file, "{}", text, text.toString());
    Path missing = folder.resolve("missing.png");
    assertRefused(FormatException.class, file, "{}", missing, missing.toString());
    byte[] whole = Files.readAllBytes(image);
    Path cut = Files.write(folder.resolve("cut.png"), Arrays.copyOf(whole, 60));
    assertRefused(FormatException.class, file, "{}", cut, cut.toString());
    Path linear =
        new OnnxModel(13)
            .input("x", DType.F32, "n", "3")
            .node("Identity", "y", "x")
            .output("y", DType.F32, "n", "3")
            .write(folder.resolve("linear.onnx"));
    assertRefused(UnsupportedException.class, linear, "{}", image, "linear.onnx");
    Files.writeString(folder.resolve("resnet20-labels.txt"), "one\ntwo\n");
    assertRefused(
        FormatException.class,
        file,
        "{\"resize\": {\"width\": 32, \"height\": 32}}",
        image,
        "2 labels",
        "10 classes");
  }
}
