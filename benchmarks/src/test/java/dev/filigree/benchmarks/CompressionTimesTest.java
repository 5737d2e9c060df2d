package dev.filigree.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class CompressionTimesTest {
  @Test
  void everyMethodDoesItsWork() {
    List<CompressionTimes.Result> results = CompressionTimes.measure(16, 32, 1, 64, 1, 1);
    assertEquals(2, results.size());
    results.forEach(result -> assertTrue(result.seconds() >= 0, result.toString()));
  }
}
