package dev.filigree.image;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Node;
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
  private final Session session;
  private final ImageInputs inputs;
  private final boolean guessed;
  private final List<String> labels;
  private final boolean probabilities;

  private ImageClassifier(Session session, ImageInputs inputs, boolean guessed) {
    this.session = session;
    this.inputs = inputs;
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
    ImageInputs inputs = ImageInputs.of(model, preprocessing);
    return new ImageClassifier(model.session(options), inputs, preprocessing.isEmpty());
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
    return inputs.preprocessing();
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
    inputs.forEach(
        files,
        batch -> {
          results.addAll(run(batch));
          progress.at("classifying images", results.size(), files.size());
        });
    return results;
  }

  private List<Classification> run(ImageInputs.Batch batch) {
    int rows = (int) batch.tensor().shape().extent(0);
    Tensor scores =
        session
            .run(Map.of(inputs.input().name(), batch.tensor()))
            .get(session.model().outputs().getFirst().name());
    return classifications(scores, rows, batch.images());
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
