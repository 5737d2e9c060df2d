package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.compress.Calibration;
import dev.filigree.graph.ValueInfo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Arrays whose outputs are compared: the vector of a sample is its part of the model's first
 * floating-point output. Where that is one number, of which a cosine would tell the sign alone, the
 * numbers of all samples make one vector.
 *
 * @param arrays files by input, samples along the first axis
 */
record ArrayExamination(Map<String, Path> arrays) implements Examination {
  @Override
  public Calibration samples(Model model) {
    return new Calibration(batches(model));
  }

  private List<Map<String, Tensor>> batches(Model model) {
    return ArrayBatches.of("--input", arrays, Integer.MAX_VALUE, model);
  }

  @Override
  public Examinee open(Model model, SessionOptions options) {
    List<Map<String, Tensor>> batches = batches(model);
    String output =
        model.outputs().stream()
            .filter(value -> value.dtype().isFloating())
            .map(ValueInfo::name)
            .findFirst()
            .orElseThrow(
                () ->
                    new UnsupportedException(
                        model.path() + " makes " + model.outputs() + ", nothing in floating point",
                        "judge a model with an output in floating point"));
    Session session = model.session(options);
    return new Examinee() {
      @Override
      public float[][] answers(Progress progress) {
        List<float[]> answers = new ArrayList<>();
        for (int b = 0; b < batches.size(); b++) {
          split(session.run(batches.get(b)).get(output), samples(batches.get(b)), answers);
          progress.at("running samples", b + 1, batches.size());
        }
        boolean areNumbers = answers.stream().allMatch(answer -> answer.length == 1);
        return areNumbers ? together(answers) : answers.toArray(float[][]::new);
      }

      @Override
      public double accuracy(float[][] answers) {
        return Double.NaN;
      }

      @Override
      public void answerSome() {
        session.run(batches.getFirst());
      }

      @Override
      public void close() {
        session.close();
      }
    };
  }

  private static float[][] together(List<float[]> numbers) {
    float[] all = new float[numbers.size()];
    for (int i = 0; i < all.length; i++) {
      all[i] = numbers.get(i)[0];
    }
    return new float[][] {all};
  }

  private static long samples(Map<String, Tensor> batch) {
    return batch.values().iterator().next().shape().extent(0);
  }

  private static void split(Tensor result, long samples, List<float[]> into) {
    float[] all = result.toFloats();
    if (samples == 0 || all.length % samples != 0) {
      throw new UnsupportedException(
          "the output " + result + " has no part for each of " + samples + " samples",
          "judge a model whose outputs have the samples along the first axis");
    }
    int each = (int) (all.length / samples);
    for (int from = 0; from < all.length; from += each) {
      float[] own = new float[each];
      System.arraycopy(all, from, own, 0, each);
      into.add(own);
    }
  }
}
