package dev.filigree.serving;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;

/** Takes values and says how they are distributed. Thread-safe; recording allocates nothing. */
final class Recorder {
  private final AtomicLongArray counts = new AtomicLongArray(Distribution.BUCKETS);
  private final LongAdder sum = new LongAdder();

  /** Takes a value; one that is negative counts as 0. */
  void record(long value) {
    counts.getAndIncrement(Distribution.bucket(value));
    sum.add(Math.max(0, value));
  }

  /** What was recorded so far. */
  Distribution distribution() {
    long total = sum.sum();
    long[] copy = new long[Distribution.BUCKETS];
    int used = 0;
    for (int bucket = 0; bucket < copy.length; bucket++) {
      copy[bucket] = counts.get(bucket);
      used = copy[bucket] == 0 ? used : bucket + 1;
    }
    return new Distribution(Arrays.copyOf(copy, used), total);
  }
}
