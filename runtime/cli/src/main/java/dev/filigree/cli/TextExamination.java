package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.compress.Calibration;
import dev.filigree.text.EncoderOptions;
import dev.filigree.text.SentenceEncoder;
import dev.filigree.text.TextBatches;
import java.util.List;

/**
 * Texts whose embeddings are compared.
 *
 * @param texts at least one
 * @param others of another domain, may be empty
 * @param scored pairs, or null
 */
record TextExamination(List<String> texts, List<String> others, ScoredPairs scored)
    implements Examination {
  /** Tokens of a text that the layers are compared on. */
  private static final int LAYER_TOKENS = 64;

  /** Texts of a call that is timed. */
  private static final int TIMED = 8;

  @Override
  public Calibration samples(Model model) {
    return new Calibration(TextBatches.of(model, texts, LAYER_TOKENS));
  }

  @Override
  public Examinee open(Model model, SessionOptions options) {
    SentenceEncoder encoder =
        SentenceEncoder.open(model, options, EncoderOptions.DEFAULTS.withTruncation());
    return new Examinee() {
      @Override
      public float[][] answers(Progress progress) {
        return encoder.embed(texts, progress);
      }

      @Override
      public float[][] otherAnswers(Progress progress) {
        return others.isEmpty() ? null : encoder.embed(others, progress);
      }

      @Override
      public double accuracy(float[][] answers) {
        return scored == null ? Double.NaN : scored.accuracy(encoder);
      }

      @Override
      public void answerSome() {
        encoder.embed(texts.subList(0, Math.min(TIMED, texts.size())));
      }

      @Override
      public void close() {
        encoder.close();
      }
    };
  }
}
