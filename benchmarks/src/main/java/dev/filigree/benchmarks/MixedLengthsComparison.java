package dev.filigree.benchmarks;

import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * What a batch of texts of different length costs: padded to the longest, without its padding, and
 * beside it as many tokens in texts of one length, which is what they should cost. One thread, in
 * alternation.
 */
public final class MixedLengthsComparison {
  private static final int ROWS = 32;
  private static final int LEAST = 8;
  private static final int ROUNDS = 9;
  private static final long WARM_NANOS = 5_000_000_000L;
  private static final long SLICE_NANOS = 500_000_000L;

  private MixedLengthsComparison() {}

  /** Arguments: the file of a text encoder, then the longest texts of the batches (31, 127). */
  public static void main(String[] args) {
    int[] longest =
        args.length > 1
            ? Arrays.stream(args).skip(1).mapToInt(Integer::parseInt).toArray()
            : new int[] {31, 127};
    try (Model model = Model.open(Path.of(args[0]));
        Session session = model.session(SessionOptions.defaults().withThreads(1))) {
      for (int length : longest) {
        compare(session, length);
      }
    }
  }

  private static void compare(Session session, int longest) {
    SplittableRandom random = new SplittableRandom(1);
    int[] lengths = random.ints(ROWS, LEAST, longest + 1).toArray();
    lengths[0] = longest;
    int tokens = Arrays.stream(lengths).sum();
    int mean = Math.round((float) tokens / ROWS);
    int[] same = new int[ROWS];
    Arrays.fill(same, mean);
    Map<String, Tensor> padded = MadeUpTexts.padded(session.model(), lengths, longest, 2);
    Map<String, Tensor> even = MadeUpTexts.padded(session.model(), same, mean, 2);
    double[][] times =
        Turns.nanos(
            ROUNDS,
            WARM_NANOS,
            SLICE_NANOS,
            () -> session.run(padded),
            () -> session.run(padded, lengths),
            () -> session.run(even));
    System.out.printf(
        Locale.ROOT,
        "%d texts of %d to %d tokens, %d of %d: %.1f ms padded, %.1f ms without padding, %.2fx;"
            + " %d texts of %d tokens %.1f ms, so mixed lengths take %.2f of their time a token%n",
        ROWS,
        LEAST,
        longest,
        tokens,
        ROWS * longest,
        Percentiles.median(times[0]) / 1e6,
        Percentiles.median(times[1]) / 1e6,
        Turns.ratio(times[0], times[1]),
        ROWS,
        mean,
        Percentiles.median(times[2]) / 1e6,
        Turns.ratio(times[1], times[2]) * mean * ROWS / tokens);
  }
}
