package dev.filigree.image;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Model;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;

/**
 * What is done to an image before a network sees it: it is resized, its middle is cut out, its
 * channels are brought in order, and each value becomes {@code (pixel * scale - mean) / std} of its
 * channel. Immutable; see {@link PreprocessingJson} for the form in which it lies beside a model.
 *
 * @param resize what size the image gets first
 * @param crop the middle that is cut out then
 * @param filter how pixels are weighed when the size changes
 * @param channels which channels the network takes, in which order
 * @param layout in which order the network's input has its axes
 * @param scale factor of pixels, which go from 0 to 255
 * @param mean of each channel, in the order of {@code channels}
 * @param std of each channel, in the order of {@code channels}
 */
public record Preprocessing(
    Resize resize,
    Optional<Size> crop,
    Filter filter,
    Channels channels,
    Layout layout,
    float scale,
    float[] mean,
    float[] std) {
  /** Pixels of an axis at most. */
  static final int MAX_EXTENT = 1 << 14;

  /** What makes pixels lie between 0 and 1. */
  private static final float UNIT = 1 / 255f;

  /** Means and standard deviations of ImageNet's training images: what most classifiers take. */
  private static final float[] IMAGENET_MEAN = {0.485f, 0.456f, 0.406f};

  private static final float[] IMAGENET_STD = {0.229f, 0.224f, 0.225f};

  /**
   * A number of pixels.
   *
   * @param width pixels from left to right
   * @param height pixels from top to bottom
   */
  public record Size(int width, int height) {
    public Size {
      if (width < 1 || width > MAX_EXTENT || height < 1 || height > MAX_EXTENT) {
        throw new InputException(
            "an image of " + width + " x " + height + " pixels",
            "use 1 to " + MAX_EXTENT + " pixels in each direction");
      }
    }

    @Override
    public String toString() {
      return width + " x " + height;
    }
  }

  /** What size an image gets. */
  public sealed interface Resize {
    /** The size it has. */
    record Keep() implements Resize {}

    /** A size of its own, whatever that does to the picture's proportions. */
    record Exactly(Size size) implements Resize {}

    /** Its shorter side gets a length, and the other keeps the picture's proportions. */
    record Shorter(int pixels) implements Resize {
      public Shorter {
        if (pixels < 1 || pixels > MAX_EXTENT) {
          throw new InputException(
              "a shorter side of " + pixels + " pixels", "use 1 to " + MAX_EXTENT);
        }
      }
    }
  }

  /** Which channels there are and in which order. */
  public enum Channels {
    RGB,
    BGR,
    /** Brightness by ITU-R BT.601: {@code 0.299 R + 0.587 G + 0.114 B}. */
    GRAY;

    /** How many there are. */
    public int count() {
      return this == GRAY ? 1 : 3;
    }
  }

  /** In which order an input has its axes: batch, channels, height, width. */
  public enum Layout {
    NCHW,
    NHWC
  }

  public Preprocessing {
    mean = mean.clone();
    std = std.clone();
    int wanted = channels.count();
    if (mean.length != wanted || std.length != wanted) {
      throw new InputException(
          mean.length + " means and " + std.length + " standard deviations for " + channels,
          "give " + wanted + " of both");
    }
    for (int c = 0; c < wanted; c++) {
      if (!Float.isFinite(mean[c]) || !Float.isFinite(std[c]) || std[c] <= 0) {
        throw new InputException(
            "channel " + c + " has the mean " + mean[c] + " and the standard deviation " + std[c],
            "give finite numbers, and standard deviations above 0");
      }
    }
    if (!Float.isFinite(scale) || scale <= 0) {
      throw new InputException("a scale of " + scale, "give a finite number above 0");
    }
  }

  /**
   * What a model's own document says.
   *
   * @return nothing if the model has none
   * @throws dev.filigree.FormatException if it cannot be understood
   */
  public static Optional<Preprocessing> of(Model model) {
    MemorySegment document = model.documents().get(Model.IMAGE);
    return document == null
        ? Optional.empty()
        : Optional.of(
            PreprocessingJson.parse(
                Model.IMAGE + " of " + model.path(),
                new String(document.toArray(DType.BYTE), StandardCharsets.UTF_8)));
  }

  /**
   * A guess for a model that says nothing: the size its input has, ImageNet's normalisation for
   * colours, and pixels from 0 to 1 for brightness.
   *
   * @param size of the model's input, if it has one
   */
  static Preprocessing usual(Optional<Size> size, Channels channels, Layout layout) {
    boolean gray = channels == Channels.GRAY;
    return new Preprocessing(
        size.<Resize>map(Resize.Exactly::new).orElseGet(Resize.Keep::new),
        Optional.empty(),
        Filter.BILINEAR,
        channels,
        layout,
        UNIT,
        gray ? new float[] {0} : IMAGENET_MEAN,
        gray ? new float[] {1} : IMAGENET_STD);
  }

  /**
   * The network's input for an image, without its batch.
   *
   * @param source the image's name in messages
   * @return {@code [channels, height, width]} or {@code [height, width, channels]}
   * @throws InputException if the image is smaller than what is cut out of it
   */
  Planes apply(String source, Pixels image) {
    Pixels sized = image.resized(size(image), filter);
    Pixels cut = crop.map(size -> sized.middle(source, size)).orElse(sized);
    int count = cut.width() * cut.height();
    int planes = channels.count();
    float[] values = new float[planes * count];
    for (int i = 0; i < count; i++) {
      for (int c = 0; c < planes; c++) {
        float pixel =
            switch (channels) {
              case RGB -> cut.value(i, c);
              case BGR -> cut.value(i, 2 - c);
              case GRAY -> cut.brightness(i);
            };
        values[layout == Layout.NCHW ? c * count + i : i * planes + c] =
            (pixel * scale - mean[c]) / std[c];
      }
    }
    return new Planes(new Size(cut.width(), cut.height()), values);
  }

  private Size size(Pixels image) {
    return switch (resize) {
      case Resize.Keep keep -> new Size(image.width(), image.height());
      case Resize.Exactly(Size size) -> size;
      case Resize.Shorter(int pixels) -> {
        int least = Math.min(image.width(), image.height());
        long width = (long) image.width() * pixels / least;
        long height = (long) image.height() * pixels / least;
        yield new Size(Math.clamp(width, 1, MAX_EXTENT), Math.clamp(height, 1, MAX_EXTENT));
      }
    };
  }

  /**
   * A network's input for one image.
   *
   * @param size of the image in it
   * @param values of all channels
   */
  record Planes(Size size, float[] values) {}

  @Override
  public float[] mean() {
    return mean.clone();
  }

  @Override
  public float[] std() {
    return std.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Preprocessing same
        && resize.equals(same.resize)
        && crop.equals(same.crop)
        && filter == same.filter
        && channels == same.channels
        && layout == same.layout
        && scale == same.scale
        && Arrays.equals(mean, same.mean)
        && Arrays.equals(std, same.std);
  }

  @Override
  public int hashCode() {
    return 31 * resize.hashCode() + Arrays.hashCode(mean);
  }

  @Override
  public String toString() {
    return PreprocessingJson.write(this);
  }
}
