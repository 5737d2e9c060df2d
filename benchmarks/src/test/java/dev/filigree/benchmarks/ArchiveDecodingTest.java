package dev.filigree.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class ArchiveDecodingTest {
  @Test
  void everyKindIsDecodedAndShorter() {
    List<ArchiveDecoding.Result> results = ArchiveDecoding.measure(1 << 18, 1);
    assertEquals(4, results.size());
    for (ArchiveDecoding.Result result : results) {
      assertTrue(result.bitsPerByte() < 7.6, result.toString());
      assertTrue(result.megabytesPerSecond() > 0, result.toString());
    }
  }
}
