package dev.filigree.serving;

import dev.filigree.InputException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;

/**
 * How requests are put together. Immutable; every {@code with} method checks its value.
 *
 * @param maxBatch rows that run together at most; a request with more runs alone
 * @param maxDelay longest time a batch that is not full waits for more requests; it waits only
 *     while requests keep coming, so an idle batcher adds no delay
 * @param maxQueue requests that may wait; one more is rejected
 * @param maxQueueBytes bytes that the inputs of waiting requests may take; more is rejected
 * @param lengths lengths to which variable inputs are padded, ascending; longer ones stay as they
 *     are. Few lengths mean few plans and full batches, many mean little padding
 */
public record BatchOptions(
    int maxBatch, Duration maxDelay, int maxQueue, long maxQueueBytes, List<Integer> lengths) {
  private static final Duration LONGEST_DELAY = Duration.ofSeconds(10);

  public BatchOptions {
    check("maxBatch", maxBatch, 1, 1 << 16);
    check("maxQueue", maxQueue, 1, 1 << 20);
    check("maxQueueBytes", maxQueueBytes, 1 << 10, Long.MAX_VALUE);
    if (maxDelay.isNegative() || maxDelay.compareTo(LONGEST_DELAY) > 0) {
      throw new InputException(
          "option maxDelay is " + maxDelay, "choose a time from 0 to " + LONGEST_DELAY);
    }
    lengths = List.copyOf(lengths);
    for (int i = 0; i < lengths.size(); i++) {
      if (lengths.get(i) < 1 || i > 0 && lengths.get(i) <= lengths.get(i - 1)) {
        throw new InputException(
            "option lengths is " + lengths, "choose positive lengths in ascending order");
      }
    }
  }

  /**
   * Up to 32 rows, half a millisecond, 1024 waiting requests of 256 MiB together, lengths as texts
   * have them.
   */
  public static BatchOptions defaults() {
    return new BatchOptions(
        32,
        Duration.ofNanos(500_000),
        1024,
        256L << 20,
        Arrays.asList(8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 512));
  }

  public BatchOptions withMaxBatch(int rows) {
    return new BatchOptions(rows, maxDelay, maxQueue, maxQueueBytes, lengths);
  }

  public BatchOptions withMaxDelay(Duration delay) {
    return new BatchOptions(maxBatch, delay, maxQueue, maxQueueBytes, lengths);
  }

  public BatchOptions withMaxQueue(int requests) {
    return new BatchOptions(maxBatch, maxDelay, requests, maxQueueBytes, lengths);
  }

  public BatchOptions withMaxQueueBytes(long bytes) {
    return new BatchOptions(maxBatch, maxDelay, maxQueue, bytes, lengths);
  }

  public BatchOptions withLengths(List<Integer> ascending) {
    return new BatchOptions(maxBatch, maxDelay, maxQueue, maxQueueBytes, ascending);
  }

  /** The length a request is padded to: the next one of the list, or its own. */
  int bucket(long length) {
    for (int bucket : lengths) {
      if (bucket >= length) {
        return bucket;
      }
    }
    return Math.toIntExact(length);
  }

  private static void check(String option, long value, long least, long most) {
    if (value < least || value > most) {
      throw new InputException(
          "option " + option + " is " + value, "choose a number from " + least + " to " + most);
    }
  }
}
