package dev.filigree.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.testing.OcrModels;
import java.awt.Color;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.GraphicsEnvironment;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** PP-OCRv4 on rendered lines: the numbers and the characters of ONNX Runtime, and the truth. */
final class OcrAgreementTest {
  private static final int HEIGHT = 48;

  private static final List<String> LINES =
      List.of("Hello world", "Invoice 2024-0071", "Total: 1,284.50", "sparse networks");

  /**
   * How many lines are read in all: 200 is the promise, a dozen is what every build has time for.
   */
  private static final int COUNT = Integer.getInteger("filigree.ocr.lines", 12);

  private static final List<String> WORDS =
      List.of(
          "amount",
          "balance",
          "city",
          "delivery",
          "east",
          "figure",
          "garden",
          "house",
          "invoice",
          "January",
          "kernel",
          "letter",
          "model",
          "number",
          "order",
          "paper",
          "quarter",
          "road",
          "street",
          "total",
          "unit",
          "value",
          "weight",
          "year",
          "zone");

  private static Path folder;
  private static List<String> keys;

  @BeforeAll
  static void findTheModels() throws IOException {
    Optional<Path> found = OcrModels.folder();
    assumeTrue(found.isPresent(), OcrModels.remedy());
    folder = found.get();
    keys = Files.readAllLines(folder.resolve("ppocr_keys_v1.txt"));
  }

  /** The lines above, and seeded ones of words and numbers. */
  private static List<String> lines() {
    List<String> lines = new ArrayList<>(LINES);
    Random random = new Random(200);
    while (lines.size() < COUNT) {
      String first = WORDS.get(random.nextInt(WORDS.size()));
      String second = WORDS.get(random.nextInt(WORDS.size()));
      lines.add(first + " " + (10 + random.nextInt(9990)) + " " + second);
    }
    return lines.subList(0, COUNT);
  }

  /** An RGB image as planes from -1 to 1, {@code [1, 3, height, width]}. */
  private static Tensor planes(BufferedImage image) {
    int size = image.getWidth() * image.getHeight();
    float[] values = new float[3 * size];
    for (int i = 0; i < size; i++) {
      int rgb = image.getRGB(i % image.getWidth(), i / image.getWidth());
      for (int c = 0; c < 3; c++) {
        values[c * size + i] = (rgb >> 16 - 8 * c & 0xff) / 127.5f - 1;
      }
    }
    return Tensor.of(values, 1, 3, image.getHeight(), image.getWidth());
  }

  private static BufferedImage rendered(String line) {
    Font font = new Font(Font.SANS_SERIF, Font.PLAIN, 32);
    BufferedImage image = new BufferedImage(320, HEIGHT, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    graphics.setColor(Color.WHITE);
    graphics.fillRect(0, 0, image.getWidth(), HEIGHT);
    graphics.setColor(Color.BLACK);
    FontMetrics metrics = graphics.getFontMetrics(font);
    double scale = Math.min(1, 300.0 / metrics.stringWidth(line));
    graphics.setFont(font.deriveFont((float) (32 * scale)));
    graphics.drawString(line, 8, 35);
    graphics.dispose();
    return image;
  }

  private static float[] onnxRuntime(Path model, Tensor x) throws OrtException {
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession session =
            environment.createSession(model.toString(), new OrtSession.SessionOptions());
        OnnxTensor input =
            OnnxTensor.createTensor(
                environment, FloatBuffer.wrap(x.toFloats()), x.shape().extents());
        OrtSession.Result result =
            session.run(Map.of(session.getInputNames().iterator().next(), input))) {
      OnnxTensor first = (OnnxTensor) result.get(0);
      float[] values = new float[Math.toIntExact(first.getInfo().getNumElements())];
      first.getFloatBuffer().get(values);
      return values;
    }
  }

  private static float[] filigree(Session session, Tensor x) {
    String input = session.model().inputs().getFirst().name();
    return session.run(Map.of(input, x)).values().iterator().next().toFloats();
  }

  /** The text of {@code [steps, characters]}: the likeliest a step, repeats and blanks left out. */
  private static String read(float[] scores) {
    int classes = keys.size() + 2;
    StringBuilder text = new StringBuilder();
    int before = 0;
    for (int step = 0; step < scores.length / classes; step++) {
      int best = 0;
      for (int c = 1; c < classes; c++) {
        best = scores[step * classes + c] > scores[step * classes + best] ? c : best;
      }
      if (best != 0 && best != before) {
        text.append(best == classes - 1 ? " " : keys.get(best - 1));
      }
      before = best;
    }
    return text.toString();
  }

  @Test
  void renderedLinesAreReadAsOnnxRuntimeReadsThem() throws OrtException {
    assumeTrue(
        GraphicsEnvironment.getLocalGraphicsEnvironment().getAvailableFontFamilyNames().length > 0,
        "no fonts are installed");
    Path path = folder.resolve("ch_PP-OCRv4_rec_infer.onnx");
    int right = 0;
    try (Model model = Model.open(path);
        Session session = model.session(SessionOptions.defaults())) {
      for (String line : lines()) {
        Tensor x = planes(rendered(line));
        float[] expected = onnxRuntime(path, x);
        float[] actual = filigree(session, x);
        assertArrayEquals(expected, actual, 1e-3f, line);
        assertEquals(read(expected), read(actual));
        right += read(actual).replace(" ", "").equals(line.replace(" ", "")) ? 1 : 0;
      }
    }
    assertTrue(right >= 0.9 * COUNT, right + " of " + COUNT + " lines are read right");
  }

  @Test
  void detectionAndDirectionGiveTheNumbersOfOnnxRuntime() throws OrtException {
    Tensor line = planes(rendered("Hello world"));
    for (String file :
        List.of("ch_PP-OCRv4_det_infer.onnx", "ch_ppocr_mobile_v2.0_cls_infer.onnx")) {
      Path path = folder.resolve(file);
      Tensor x = file.contains("det") ? square(line) : line;
      try (Model model = Model.open(path);
          Session session = model.session(SessionOptions.defaults())) {
        assertArrayEquals(onnxRuntime(path, x), filigree(session, x), 1e-4f, file);
      }
    }
  }

  /**
   * The first columns of a line repeated below each other, for a network that halves five times.
   */
  private static Tensor square(Tensor line) {
    Tensor square = Tensor.zeros(line.dtype(), Shape.of(1, 3, 96, 96));
    for (int i = 0; i < square.elements(); i++) {
      int row = i / 96 % 96 % HEIGHT;
      int plane = i / (96 * 96);
      square.setDouble(i, line.getDouble(((long) plane * HEIGHT + row) * 320 + i % 96));
    }
    return square;
  }
}
