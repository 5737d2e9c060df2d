package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.compress.Calibration;

/**
 * What models are judged by: texts, images or arrays that each gets a vector, which are compared
 * between models.
 */
interface Examination {
  /** Opens a model to be asked; it stays the caller's to close. */
  Examinee open(Model model, SessionOptions options);

  /** The same samples as inputs, to compare layers on. */
  Calibration samples(Model model);

  /** A model that is asked. */
  interface Examinee extends AutoCloseable {
    /** A vector for each sample. */
    float[][] answers(Progress progress);

    /** The same for samples of another domain, or null if there are none. */
    default float[][] otherAnswers(Progress progress) {
      return null;
    }

    /**
     * How right the model is, from 0 (or -1) to 1.
     *
     * @param answers it gave
     * @return NaN without labels
     */
    double accuracy(float[][] answers);

    /** Whether answers are scores of classes. */
    default boolean classifies() {
      return false;
    }

    /** Answers a few samples, to be timed. */
    void answerSome();

    @Override
    void close();
  }

  /**
   * Share of the samples whose class is the one that another model gives them.
   *
   * @return NaN if there are no classes
   */
  static double agreement(Examinee examinee, float[][] expected, float[][] answers) {
    if (!examinee.classifies()) {
      return Double.NaN;
    }
    int same = 0;
    for (int i = 0; i < answers.length; i++) {
      same += best(expected[i]) == best(answers[i]) ? 1 : 0;
    }
    return (double) same / answers.length;
  }

  /** Index of the greatest score; the first of several. */
  static int best(float[] scores) {
    int best = 0;
    for (int i = 1; i < scores.length; i++) {
      best = scores[i] > scores[best] ? i : best;
    }
    return best;
  }
}
