package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.compress.Calibration;
import dev.filigree.image.Classification;
import dev.filigree.image.ImageClassifier;
import dev.filigree.image.ImageInputs;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Images whose classes are compared: the vector of an image holds the logarithms of its
 * probabilities around their mean, which are the scores of the network but for what softmax does
 * not notice.
 *
 * @param files at least one
 * @param labels names of the classes by index, empty for those that the model has
 * @param description says what is done to images
 */
record ImageExamination(List<Path> files, List<String> labels, ImageDescription description)
    implements Examination {
  /** Images of a call that is timed. */
  private static final int TIMED = 8;

  /** The least that is told from 0. */
  private static final double LEAST = 1e-30;

  @Override
  public Calibration samples(Model model) {
    return new Calibration(ImageInputs.of(model, description.preprocessing(model)).batches(files));
  }

  @Override
  public Examinee open(Model model, SessionOptions options) {
    ImageClassifier classifier =
        ImageClassifier.open(model, options, description.preprocessing(model));
    // what is timed is the network, not the decoding of files
    Map<String, Tensor> timed =
        ImageInputs.of(model, description.preprocessing(model))
            .batches(files.subList(0, Math.min(TIMED, files.size())))
            .getFirst();
    return new Examinee() {
      @Override
      public float[][] answers(Progress progress) {
        return classifier.classify(files, progress).stream()
            .map(ImageExamination::scores)
            .toArray(float[][]::new);
      }

      @Override
      public double accuracy(float[][] answers) {
        return right(labels.isEmpty() ? classifier.labels() : labels, answers);
      }

      @Override
      public boolean classifies() {
        return true;
      }

      @Override
      public void answerSome() {
        classifier.session().run(timed);
      }

      @Override
      public void close() {
        classifier.close();
      }
    };
  }

  private static float[] scores(Classification classification) {
    float[] scores = classification.probabilities();
    double mean = 0;
    for (int i = 0; i < scores.length; i++) {
      scores[i] = (float) Math.log(Math.max(scores[i], LEAST));
      mean += scores[i] / scores.length;
    }
    for (int i = 0; i < scores.length; i++) {
      scores[i] -= (float) mean;
    }
    return scores;
  }

  /**
   * Share of the images that get the class whose name their folder has; NaN if folders have none.
   */
  private double right(List<String> names, float[][] answers) {
    Map<String, Integer> classes =
        IntStream.range(0, names.size())
            .boxed()
            .collect(Collectors.toMap(names::get, index -> index, (first, later) -> first));
    int right = 0;
    for (int i = 0; i < answers.length; i++) {
      Path folder = files.get(i).toAbsolutePath().getParent();
      Integer truth = folder == null ? null : classes.get(String.valueOf(folder.getFileName()));
      if (truth == null) {
        return Double.NaN;
      }
      right += Examination.best(answers[i]) == truth ? 1 : 0;
    }
    return (double) right / answers.length;
  }
}
