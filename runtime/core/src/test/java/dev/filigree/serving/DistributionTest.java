package dev.filigree.serving;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class DistributionTest {
  @Test
  void everyValueLiesInTheBucketOfItsBounds() {
    for (int power = 0; power < 63; power++) {
      for (long value : new long[] {(1L << power) - 1, 1L << power, (1L << power) + 1}) {
        int bucket = Distribution.bucket(value);
        assertTrue(bucket < Distribution.BUCKETS, "value " + value);
        assertTrue(value <= Distribution.upperBound(bucket), "value " + value);
        assertTrue(bucket == 0 || value > Distribution.upperBound(bucket - 1), "value " + value);
      }
    }
    assertEquals(Distribution.BUCKETS - 1, Distribution.bucket(Long.MAX_VALUE));
    assertEquals(Long.MAX_VALUE, Distribution.upperBound(Distribution.BUCKETS - 1));
    assertEquals(0, Distribution.bucket(-5));
  }

  @Test
  void percentilesAreRightToASixteenth() {
    SplittableRandom random = new SplittableRandom(7);
    long[] values = new long[10_000];
    Recorder recorder = new Recorder();
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextLong(1L << random.nextInt(1, 40));
      recorder.record(values[i]);
    }
    Arrays.sort(values);
    Distribution all = recorder.distribution();
    assertEquals(values.length, all.count());
    assertEquals(Arrays.stream(values).sum(), all.sum());
    for (double percent : new double[] {0, 1, 50, 90, 99, 100}) {
      long exact = values[Math.max(0, (int) Math.ceil(percent / 100 * values.length) - 1)];
      long found = all.percentile(percent);
      assertTrue(found >= exact && found <= exact + exact / 16 + 1, percent + ": " + found);
    }
    assertEquals(values.length, all.countUpTo(Long.MAX_VALUE));
  }

  @Test
  void aLaterStateWithoutAnEarlierOneIsWhatCameBetween() {
    Recorder recorder = new Recorder();
    assertEquals(0, recorder.distribution().percentile(99));
    assertTrue(Double.isNaN(Distribution.NONE.mean()));
    recorder.record(3);
    Distribution before = recorder.distribution();
    recorder.record(1000);
    recorder.record(9);
    Distribution since = recorder.distribution().since(before);
    assertEquals(2, since.count());
    assertEquals(1009, since.sum());
    assertEquals(9, since.percentile(50));
    assertEquals(0, since.countUpTo(8));
    assertEquals(1, since.countUpTo(9));
  }
}
