package dev.filigree.compress.train;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPInputStream;

/**
 * Samples and the class of each.
 *
 * @param values f32, sample after sample
 * @param shape of one sample
 * @param labels one for each sample, from 0 on
 */
public record LabelledSamples(float[] values, Shape shape, int[] labels) {
  private static final int IMAGES = 0x803;
  private static final int LABELS = 0x801;

  public LabelledSamples {
    if (labels.length == 0 || values.length != labels.length * shape.elements()) {
      throw new InputException(
          labels.length + " labels for " + values.length + " values of samples " + shape,
          "pass at least one sample, and as many labels as samples");
    }
  }

  public int count() {
    return labels.length;
  }

  /** These samples in another shape of as many values. */
  public LabelledSamples as(Shape other) {
    return new LabelledSamples(values, other, labels);
  }

  /** The first samples. */
  public LabelledSamples first(int count) {
    int n = Math.min(count, count());
    int size = Math.toIntExact(shape.elements());
    return new LabelledSamples(Arrays.copyOf(values, n * size), shape, Arrays.copyOf(labels, n));
  }

  /** A batch {@code [count, shape...]}. */
  Tensor batch(int[] order, int from, int to) {
    int size = Math.toIntExact(shape.elements());
    float[] batch = new float[(to - from) * size];
    for (int i = from; i < to; i++) {
      System.arraycopy(values, order[i] * size, batch, (i - from) * size, size);
    }
    long[] extents = new long[shape.rank() + 1];
    extents[0] = to - from;
    for (int axis = 0; axis < shape.rank(); axis++) {
      extents[axis + 1] = shape.extent(axis);
    }
    return Tensor.of(DType.F32, Shape.of(extents), MemorySegment.ofArray(batch));
  }

  /** The labels of a batch. */
  int[] labels(int[] order, int from, int to) {
    int[] batch = new int[to - from];
    for (int i = from; i < to; i++) {
      batch[i - from] = labels[order[i]];
    }
    return batch;
  }

  /**
   * Reads images and labels in the IDX form of MNIST, plain or gzip-compressed: {@code
   * NAME-images-idx3-ubyte} and {@code NAME-labels-idx1-ubyte}, with {@code .gz} or without. Pixels
   * become numbers from 0 to 1.
   *
   * @param folder holds both files
   * @param name {@code train} or {@code t10k}
   * @throws FormatException if a file is missing or not of that form
   */
  public static LabelledSamples read(Path folder, String name) {
    ByteBuffer images = idx(folder, name + "-images-idx3-ubyte", IMAGES, 16);
    ByteBuffer labels = idx(folder, name + "-labels-idx1-ubyte", LABELS, 8);
    int count = images.getInt(4);
    int height = images.getInt(8);
    int width = images.getInt(12);
    long pixels = (long) count * height * width;
    if (count < 1
        || height < 1
        || width < 1
        || pixels != images.capacity() - 16
        || labels.getInt(4) != count
        || count != labels.capacity() - 8) {
      throw new FormatException(
          folder
              + "/"
              + name
              + ": "
              + count
              + " images of "
              + height
              + " x "
              + width
              + " and "
              + labels.getInt(4)
              + " labels do not fit the files",
          "fetch the files again; they may be cut short");
    }
    float[] values = new float[Math.toIntExact(pixels)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (images.get(16 + i) & 0xFF) / 255f;
    }
    int[] classes = new int[count];
    for (int i = 0; i < count; i++) {
      classes[i] = labels.get(8 + i) & 0xFF;
    }
    return new LabelledSamples(values, Shape.of(1, height, width), classes);
  }

  private static ByteBuffer idx(Path folder, String name, int magic, int header) {
    Path plain = folder.resolve(name);
    Path packed = folder.resolve(name + ".gz");
    Path file = Files.exists(plain) ? plain : packed;
    if (!Files.exists(file)) {
      throw new FormatException(
          folder + " has neither " + name + " nor " + name + ".gz",
          "pass a folder with the four IDX files of MNIST or a set of the same form");
    }
    try (InputStream in = Files.newInputStream(file);
        InputStream unpacked = file == packed ? new GZIPInputStream(in) : in) {
      ByteBuffer bytes = ByteBuffer.wrap(unpacked.readAllBytes());
      if (bytes.capacity() < header || bytes.getInt(0) != magic) {
        throw new FormatException(
            file + " does not begin as an IDX file of bytes", "fetch it again");
      }
      return bytes;
    } catch (IOException failed) {
      throw new UncheckedIOException(file.toString(), failed);
    }
  }
}
