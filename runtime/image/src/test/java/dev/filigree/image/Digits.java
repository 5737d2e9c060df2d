package dev.filigree.image;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.AffineTransform;
import java.awt.geom.Line2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Random;
import javax.imageio.ImageIO;

/** Drawn digits of seven strokes, each a little different, with noise. */
final class Digits {
  /** Strokes of each digit: top, left and right above, middle, left and right below, bottom. */
  private static final String[] STROKES = {
    "1110111", "0010010", "1011101", "1011011", "0111010",
    "1101011", "1101111", "1010010", "1111111", "1111011"
  };

  private static final double[][] LINES = {
    {0, 0, 1, 0}, {0, 0, 0, 1}, {1, 0, 1, 1}, {0, 1, 1, 1}, {0, 1, 0, 2}, {1, 1, 1, 2}, {0, 2, 1, 2}
  };

  private Digits() {}

  /**
   * Draws a digit.
   *
   * @param size pixels of each side
   * @param colors whether ground and digit have random colours
   */
  static BufferedImage draw(int digit, int size, boolean colors, Random random) {
    BufferedImage image =
        new BufferedImage(
            size, size, colors ? BufferedImage.TYPE_INT_RGB : BufferedImage.TYPE_BYTE_GRAY);
    Graphics2D graphics = image.createGraphics();
    graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    graphics.setColor(colors ? new Color(random.nextInt(1 << 24)) : Color.BLACK);
    graphics.fillRect(0, 0, size, size);
    graphics.setColor(colors ? new Color(random.nextInt(1 << 24)) : Color.WHITE);
    AffineTransform place = AffineTransform.getTranslateInstance(size / 2.0, size / 2.0);
    place.rotate(random.nextGaussian() * 0.08);
    double height = size * (0.3 + 0.04 * random.nextGaussian());
    place.scale(height * (0.9 + 0.1 * random.nextGaussian()), height);
    place.translate(-0.5 + 0.1 * random.nextGaussian(), -1 + 0.1 * random.nextGaussian());
    graphics.setStroke(
        new BasicStroke(
            (float) (size * (0.07 + 0.02 * random.nextDouble())),
            BasicStroke.CAP_ROUND,
            BasicStroke.JOIN_ROUND));
    for (int s = 0; s < LINES.length; s++) {
      if (STROKES[digit].charAt(s) == '1') {
        double[] line = LINES[s];
        graphics.draw(
            place.createTransformedShape(new Line2D.Double(line[0], line[1], line[2], line[3])));
      }
    }
    graphics.dispose();
    return image;
  }

  /** Draws a digit into a PNG file. */
  static Path write(Path file, int digit, int size, boolean colors, Random random) {
    try {
      ImageIO.write(draw(digit, size, colors, random), "png", file.toFile());
      return file;
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
