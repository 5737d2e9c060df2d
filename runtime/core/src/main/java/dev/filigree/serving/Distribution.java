package dev.filigree.serving;

import java.util.Arrays;

/**
 * How often values of some sizes occurred: counts in buckets whose bounds grow with the value, so
 * that a percentile is known to a sixteenth of itself. Immutable.
 */
public final class Distribution {
  /** Halvings of a power of two: 16 buckets from one power to the next. */
  private static final int FINENESS = 4;

  private static final int STEPS = 1 << FINENESS;

  /** Enough for every positive long. */
  static final int BUCKETS = (Long.SIZE - FINENESS) * STEPS;

  /** A distribution without values. */
  public static final Distribution NONE = new Distribution(new long[0], 0);

  private final long[] counts;
  private final long count;
  private final long sum;

  /**
   * A distribution.
   *
   * @param counts by bucket, from the first; empty ones at the end may be left out
   */
  Distribution(long[] counts, long sum) {
    this.counts = counts;
    this.count = Arrays.stream(counts).sum();
    this.sum = sum;
  }

  /** The bucket of a value that is not negative: small values have one each. */
  static int bucket(long value) {
    if (value < STEPS) {
      return (int) Math.max(0, value);
    }
    int power = Long.SIZE - 1 - Long.numberOfLeadingZeros(value);
    return (power - FINENESS + 1) * STEPS + (int) (value >>> power - FINENESS) - STEPS;
  }

  /** The greatest value of a bucket. */
  static long upperBound(int bucket) {
    if (bucket < STEPS) {
      return bucket;
    }
    int shift = bucket / STEPS - 1;
    return ((long) STEPS + bucket % STEPS + 1 << shift) - 1;
  }

  /** Number of values. */
  public long count() {
    return count;
  }

  /** Sum of the values. */
  public long sum() {
    return sum;
  }

  /** Mean of the values, NaN if there are none. */
  public double mean() {
    return count == 0 ? Double.NaN : (double) sum / count;
  }

  /** Number of values up to a bound, to the accuracy of a bucket. */
  public long countUpTo(long bound) {
    long upTo = 0;
    for (int bucket = 0; bucket < counts.length && upperBound(bucket) <= bound; bucket++) {
      upTo += counts[bucket];
    }
    return upTo;
  }

  /**
   * The value that a share of all values does not exceed, or a sixteenth more; 0 if there are none.
   *
   * @param percent from 0 to 100
   */
  public long percentile(double percent) {
    long wanted = Math.max(1, (long) Math.ceil(percent / 100 * count));
    long seen = 0;
    for (int bucket = 0; bucket < counts.length; bucket++) {
      seen += counts[bucket];
      if (seen >= wanted) {
        return upperBound(bucket);
      }
    }
    return 0;
  }

  /** What came since an earlier state of the same distribution. */
  public Distribution since(Distribution earlier) {
    long[] rest = counts.clone();
    for (int bucket = 0; bucket < earlier.counts.length; bucket++) {
      rest[bucket] -= earlier.counts[bucket];
    }
    return new Distribution(rest, sum - earlier.sum);
  }
}
