package dev.filigree.image;

import dev.filigree.FormatException;
import dev.filigree.InputException;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/**
 * A decoded image: red, green and blue from 0 to 255 of each pixel, row by row. Transparency is
 * ignored, as is the direction a camera notes in a JPEG file.
 *
 * @param width pixels of a row
 * @param height rows
 * @param rgb {@code [height, width, 3]}
 */
record Pixels(int width, int height, byte[] rgb) {
  /** Pixels of an image at most: a small file may claim billions. */
  private static final long MAX_PIXELS = 100_000_000;

  private static final int COLORS = 3;

  /**
   * Reads a file of any kind the JDK can decode: JPEG, PNG, GIF, BMP, WBMP, TIFF.
   *
   * @throws FormatException if it is missing, damaged, too large or of another kind
   */
  static Pixels read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new FormatException("the image " + file + " is no file", "check the path");
    }
    try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
      Iterator<ImageReader> readers =
          in == null ? java.util.Collections.emptyIterator() : ImageIO.getImageReaders(in);
      if (!readers.hasNext()) {
        throw new FormatException(
            file + " is no image of a kind that can be read", "convert it to PNG or JPEG");
      }
      ImageReader reader = readers.next();
      try {
        reader.setInput(in, true, true);
        long pixels = (long) reader.getWidth(0) * reader.getHeight(0);
        if (pixels > MAX_PIXELS) {
          throw new FormatException(
              file + " claims " + pixels + " pixels", "scale it to at most " + MAX_PIXELS);
        }
        return of(reader.read(0));
      } finally {
        reader.dispose();
      }
    } catch (IOException | RuntimeException damaged) {
      if (damaged instanceof FormatException named) {
        throw named;
      }
      // decoders of the JDK also report damage by runtime exceptions
      throw new FormatException(
          "the image " + file + " cannot be decoded (" + damaged.getMessage() + ")",
          "convert it to PNG or JPEG",
          damaged);
    }
  }

  /** The pixels of an image of the JDK. */
  static Pixels of(BufferedImage image) {
    int width = image.getWidth();
    int height = image.getHeight();
    byte[] rgb = new byte[Math.multiplyExact(COLORS, Math.multiplyExact(width, height))];
    ColorModel colors = image.getColorModel();
    boolean gray = !(colors instanceof IndexColorModel) && colors.getNumColorComponents() == 1;
    Raster raster = image.getRaster();
    int bits = colors.getComponentSize(0);
    int[] row = new int[width];
    for (int y = 0; y < height; y++) {
      if (gray) {
        // the JDK would take stored brightness for linear light and make it brighter
        raster.getSamples(0, y, width, 1, 0, row);
      } else {
        image.getRGB(0, y, width, 1, row, 0, width);
      }
      for (int x = 0; x < width; x++) {
        int at = COLORS * (y * width + x);
        int value = gray ? brightness(row[x], bits) * 0x010101 : row[x];
        rgb[at] = (byte) (value >> 16);
        rgb[at + 1] = (byte) (value >> 8);
        rgb[at + 2] = (byte) value;
      }
    }
    return new Pixels(width, height, rgb);
  }

  private static int brightness(int sample, int bits) {
    return bits == Byte.SIZE ? sample : (int) ((long) sample * 255 / ((1L << bits) - 1));
  }

  /** The value of a pixel's red, green or blue. */
  int value(int pixel, int color) {
    return rgb[COLORS * pixel + color] & 0xff;
  }

  /** The brightness of a pixel, from 0 to 255, by ITU-R BT.601. */
  int brightness(int pixel) {
    int sum = 299 * value(pixel, 0) + 587 * value(pixel, 1) + 114 * value(pixel, 2);
    return (sum + 500) / 1000;
  }

  /** The image in another size; rows are resampled first and rounded, then columns. */
  Pixels resized(Preprocessing.Size size, Filter filter) {
    if (size.width() == width && size.height() == height) {
      return this;
    }
    byte[] wide = new byte[Math.multiplyExact(COLORS, Math.multiplyExact(size.width(), height))];
    for (int c = 0; c < COLORS; c++) {
      filter.resample(
          rgb,
          c,
          COLORS * width,
          COLORS,
          height,
          width,
          wide,
          c,
          COLORS * size.width(),
          COLORS,
          size.width());
    }
    byte[] both = new byte[Math.multiplyExact(COLORS * size.width(), size.height())];
    int row = COLORS * size.width();
    filter.resample(wide, 0, 1, row, row, height, both, 0, 1, row, size.height());
    return new Pixels(size.width(), size.height(), both);
  }

  /**
   * The middle of the image; where it cannot be divided evenly, half a pixel towards the end.
   *
   * @param source the image's name in messages
   * @throws InputException if the image is smaller
   */
  Pixels middle(String source, Preprocessing.Size size) {
    if (size.width() > width || size.height() > height) {
      throw new InputException(
          source
              + " has "
              + width
              + " x "
              + height
              + " pixels, less than the "
              + size
              + " that are cut out of it",
          "let the model's description resize images first");
    }
    int left = (width - size.width() + 1) / 2;
    int top = (height - size.height() + 1) / 2;
    byte[] cut = new byte[COLORS * size.width() * size.height()];
    for (int y = 0; y < size.height(); y++) {
      System.arraycopy(
          rgb,
          COLORS * ((top + y) * width + left),
          cut,
          COLORS * y * size.width(),
          COLORS * size.width());
    }
    return new Pixels(size.width(), size.height(), cut);
  }
}
