package dev.filigree.image;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.ValueInfo;
import dev.filigree.image.Preprocessing.Channels;
import dev.filigree.image.Preprocessing.Layout;
import dev.filigree.image.Preprocessing.Size;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Image files as inputs of a network that takes one batch of images: decoded, preprocessed,
 * batched. Immutable.
 *
 * @param model that takes them
 * @param input its only one, f32 or f16 {@code [batch, channels, height, width]} or {@code [batch,
 *     height, width, channels]}
 * @param preprocessing what is done to images
 */
public record ImageInputs(Model model, ValueInfo input, Preprocessing preprocessing) {
  /** Images that run together where the model leaves that open. */
  private static final int BATCH = 32;

  private static final int RANK = 4;

  /**
   * Images of one size.
   *
   * @param tensor the model's input; a batch that the model wants full is filled with the last one
   * @param images of the batch that are wanted
   */
  public record Batch(Tensor tensor, int images) {}

  /**
   * The inputs of a model.
   *
   * @param described what is done to images; without it what classifiers usually want is done
   * @throws UnsupportedException if the model takes no images
   * @throws InputException if the preprocessing does not fit the model's input
   */
  public static ImageInputs of(Model model, Optional<Preprocessing> described) {
    ValueInfo input = input(model);
    Layout layout = described.map(Preprocessing::layout).orElseGet(() -> layout(input));
    Preprocessing used =
        described.orElseGet(
            () -> Preprocessing.usual(size(input, layout), channels(input, layout), layout));
    long channels =
        extent(input, layout == Layout.NCHW ? 1 : 3).orElse((long) used.channels().count());
    if (channels != used.channels().count()) {
      throw new InputException(
          "the preprocessing of "
              + model.path()
              + " makes "
              + used.channels().count()
              + " channels for the input "
              + input,
          "describe the channels and the layout that the input has");
    }
    return new ImageInputs(model, input, used);
  }

  /**
   * Reads image files, batch by batch.
   *
   * @param each receives a batch at a time
   * @throws dev.filigree.FormatException if a file is no image, or is damaged
   * @throws InputException if an image does not fit the model
   */
  public void forEach(List<Path> files, Consumer<Batch> each) {
    List<Preprocessing.Planes> batch = new ArrayList<>();
    for (Path file : files) {
      Preprocessing.Planes image = preprocessing.apply(file.toString(), Pixels.read(file));
      checkSize(file, image.size());
      if (!batch.isEmpty()
          && (batch.size() == batchSize() || !batch.getFirst().size().equals(image.size()))) {
        each.accept(batch(batch));
        batch.clear();
      }
      batch.add(image);
    }
    if (!batch.isEmpty()) {
      each.accept(batch(batch));
    }
  }

  /** All of them as inputs by name, as calibration takes them. */
  public List<Map<String, Tensor>> batches(List<Path> files) {
    List<Map<String, Tensor>> batches = new ArrayList<>();
    forEach(files, batch -> batches.add(Map.of(input.name(), batch.tensor)));
    return batches;
  }

  private static ValueInfo input(Model model) {
    ValueInfo input = model.inputs().getFirst();
    boolean image =
        model.inputs().size() == 1
            && (input.dtype() == DType.F32 || input.dtype() == DType.F16)
            && input.dims() != null
            && input.dims().size() == RANK;
    if (!image) {
      throw new UnsupportedException(
          model.path() + " is no image classifier: it takes " + model.inputs(),
          "use a model with one f32 or f16 input [batch, channels, height, width], or pass tensors"
              + " with --input");
    }
    return input;
  }

  private static Optional<Long> extent(ValueInfo input, int axis) {
    Dim dim = input.dims().get(axis);
    return dim.isKnown() ? Optional.of(dim.value()) : Optional.empty();
  }

  /** The layout in which the input has 1 or 3 channels. */
  private static Layout layout(ValueInfo input) {
    boolean first = extent(input, 1).filter(count -> count == 1 || count == 3).isPresent();
    boolean last = extent(input, 3).filter(count -> count == 1 || count == 3).isPresent();
    return last && !first ? Layout.NHWC : Layout.NCHW;
  }

  private static Channels channels(ValueInfo input, Layout layout) {
    long count = extent(input, layout == Layout.NCHW ? 1 : 3).orElse(3L);
    return count == 1 ? Channels.GRAY : Channels.RGB;
  }

  private static Optional<Size> size(ValueInfo input, Layout layout) {
    int axis = layout == Layout.NCHW ? 2 : 1;
    Optional<Long> height = extent(input, axis);
    Optional<Long> width = extent(input, axis + 1);
    return height.isPresent() && width.isPresent()
        ? Optional.of(new Size(clamped(width.get()), clamped(height.get())))
        : Optional.empty();
  }

  private static int clamped(long extent) {
    return (int) Math.min(extent, Integer.MAX_VALUE);
  }

  private int batchSize() {
    return clamped(extent(input, 0).orElse((long) BATCH));
  }

  private void checkSize(Path file, Size size) {
    int axis = preprocessing.layout() == Layout.NCHW ? 2 : 1;
    long height = extent(input, axis).orElse((long) size.height());
    long width = extent(input, axis + 1).orElse((long) size.width());
    if (height != size.height() || width != size.width()) {
      throw new InputException(
          file
              + " has "
              + size
              + " pixels after its preprocessing but the model takes "
              + width
              + " x "
              + height,
          "let the model's " + Model.IMAGE + " resize or crop to that");
    }
  }

  private Batch batch(List<Preprocessing.Planes> images) {
    Size size = images.getFirst().size();
    int channels = preprocessing.channels().count();
    int rows = extent(input, 0).isPresent() ? batchSize() : images.size();
    boolean planes = preprocessing.layout() == Layout.NCHW;
    Shape shape =
        planes
            ? Shape.of(rows, channels, size.height(), size.width())
            : Shape.of(rows, size.height(), size.width(), channels);
    int values = channels * size.width() * size.height();
    float[] all = new float[Math.multiplyExact(rows, values)];
    for (int row = 0; row < rows; row++) {
      float[] image = images.get(Math.min(row, images.size() - 1)).values();
      System.arraycopy(image, 0, all, row * values, values);
    }
    Tensor given = Tensor.of(all, shape.extents());
    if (input.dtype() != DType.F32) {
      Tensor narrow = Tensor.zeros(input.dtype(), shape);
      for (int i = 0; i < all.length; i++) {
        narrow.setDouble(i, all[i]);
      }
      given = narrow;
    }
    return new Batch(given, images.size());
  }
}
