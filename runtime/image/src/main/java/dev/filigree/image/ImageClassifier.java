package dev.filigree.image;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.image.Preprocessing.Channels;
import dev.filigree.image.Preprocessing.Layout;
import dev.filigree.image.Preprocessing.Size;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Classifies images with a network that takes one batch of images and gives one row of scores an
 * image: decodes, preprocesses as the model's {@code image.json} says, runs batches, and turns
 * scores into probabilities by a softmax unless the network ends with one. Thread-safe.
 */
public final class ImageClassifier implements AutoCloseable {
  /** Images that run together where the model leaves that open. */
  private static final int BATCH = 32;

  private static final int RANK = 4;

  private final Session session;
  private final ValueInfo input;
  private final Preprocessing preprocessing;
  private final boolean guessed;
  private final List<String> labels;
  private final boolean probabilities;

  private ImageClassifier(
      Session session, ValueInfo input, Preprocessing preprocessing, boolean guessed) {
    this.session = session;
    this.input = input;
    this.preprocessing = preprocessing;
    this.guessed = guessed;
    this.labels = labels(session.model());
    this.probabilities = endsWithSoftmax(session.model());
  }

  /**
   * Opens a classifier on the fastest device with all processors.
   *
   * @param model stays the caller's to close
   * @throws UnsupportedException if the model is no image classifier
   * @throws FormatException if its description of preprocessing cannot be understood
   */
  public static ImageClassifier open(Model model) {
    return open(model, SessionOptions.defaults(), Preprocessing.of(model));
  }

  /**
   * Opens a classifier.
   *
   * @param preprocessing what is done to images; without it what classifiers usually want is done,
   *     see {@link #isGuessed}
   * @throws UnsupportedException if the model is no image classifier
   * @throws FormatException if its labels cannot be read
   * @throws InputException if the preprocessing does not fit the model's input
   */
  public static ImageClassifier open(
      Model model, SessionOptions options, Optional<Preprocessing> preprocessing) {
    ValueInfo input = input(model);
    Layout layout = preprocessing.map(Preprocessing::layout).orElseGet(() -> layout(input));
    Preprocessing used =
        preprocessing.orElseGet(
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
    return new ImageClassifier(model.session(options), input, used, preprocessing.isEmpty());
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

  private static List<String> labels(Model model) {
    if (!model.documents().containsKey(Model.LABELS)) {
      return List.of();
    }
    byte[] text = model.documents().get(Model.LABELS).toArray(DType.BYTE);
    return new String(text, StandardCharsets.UTF_8).lines().toList();
  }

  /** Whether the first output is made by a softmax, through what only renames or reshapes it. */
  private static boolean endsWithSoftmax(Model model) {
    String value = model.outputs().getFirst().name();
    for (int i = model.graph().nodes().size() - 1; i >= 0; i--) {
      Node node = model.graph().nodes().get(i);
      if (node.outputs().contains(value)) {
        if (node.is("Softmax")) {
          return true;
        }
        if (!node.is("Identity") && !node.is("Reshape") && !node.is("Flatten")) {
          return false;
        }
        value = node.inputs().getFirst();
      }
    }
    return false;
  }

  /** The session it runs on. */
  public Session session() {
    return session;
  }

  /** What is done to images. */
  public Preprocessing preprocessing() {
    return preprocessing;
  }

  /**
   * Whether nobody said what is done to images, so that what classifiers usually want is done: the
   * input's size, and the normalisation of ImageNet for colours.
   */
  public boolean isGuessed() {
    return guessed;
  }

  /** Names of the classes as the model has them, by index; empty if it has none. */
  public List<String> labels() {
    return labels;
  }

  /**
   * Classifies image files.
   *
   * @return one classification for each file
   * @throws FormatException if a file is no image, or is damaged
   * @throws InputException if an image does not fit the model
   */
  public List<Classification> classify(List<Path> files) {
    return classify(files, Progress.NONE);
  }

  /**
   * Classifies image files.
   *
   * @param progress hears of each batch
   * @return one classification for each file
   * @throws FormatException if a file is no image, or is damaged
   * @throws InputException if an image does not fit the model
   */
  public List<Classification> classify(List<Path> files, Progress progress) {
    List<Classification> results = new ArrayList<>();
    List<Preprocessing.Planes> batch = new ArrayList<>();
    for (Path file : files) {
      Preprocessing.Planes image = preprocessing.apply(file.toString(), Pixels.read(file));
      checkSize(file, image.size());
      if (!batch.isEmpty()
          && (batch.size() == batchSize() || !batch.getFirst().size().equals(image.size()))) {
        results.addAll(run(batch));
        batch.clear();
        progress.at("classifying images", results.size(), files.size());
      }
      batch.add(image);
    }
    if (!batch.isEmpty()) {
      results.addAll(run(batch));
    }
    return results;
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

  /** Runs images of one size together; a batch the model wants full is filled with the last. */
  private List<Classification> run(List<Preprocessing.Planes> images) {
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
    Tensor scores =
        session.run(Map.of(input.name(), given)).get(session.model().outputs().getFirst().name());
    return classifications(scores, rows, images.size());
  }

  private List<Classification> classifications(Tensor scores, int rows, int used) {
    long classes = scores.elements() / rows;
    if (classes < 1 || scores.shape().rank() < 2 || scores.shape().extent(1) != classes) {
      throw new UnsupportedException(
          session.model().path() + " is no image classifier: it makes " + scores,
          "use a model that makes one row of scores for each image");
    }
    if (!labels.isEmpty() && labels.size() != classes) {
      throw new FormatException(
          session.model().path() + " has " + labels.size() + " labels for " + classes + " classes",
          "write one label a line, in the order of the classes");
    }
    float[] all = scores.toFloats();
    List<Classification> results = new ArrayList<>();
    for (int row = 0; row < used; row++) {
      float[] own = new float[(int) classes];
      System.arraycopy(all, row * own.length, own, 0, own.length);
      results.add(new Classification(probabilities ? own : softmax(own)));
    }
    return results;
  }

  private static float[] softmax(float[] scores) {
    double most = Double.NEGATIVE_INFINITY;
    for (float score : scores) {
      most = Math.max(most, score);
    }
    double sum = 0;
    for (float score : scores) {
      sum += Math.exp(score - most);
    }
    float[] shares = new float[scores.length];
    for (int i = 0; i < shares.length; i++) {
      shares[i] = (float) (Math.exp(scores[i] - most) / sum);
    }
    return shares;
  }

  /** Ends its session; the model stays open. */
  @Override
  public void close() {
    session.close();
  }
}
