package dev.filigree.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The memory of a decoder large enough that its layers stay where the file has them. */
final class DecoderMemoryTest {
  private static final DecoderMemory.Size SIZE = new DecoderMemory.Size(2, 2048, 8, 8, 2304, 2304);

  @TempDir private Path folder;

  @Test
  void nothingOfAStoredLayerIsLaidOutAnew() throws IOException {
    long weights = 2L * (4 * 2048 * 2048 + 3 * 2304 * 2048) + 2304 * 2048;
    Path eight = DecoderMemory.write(folder, SIZE, false);
    DecoderMemory.Result wide = DecoderMemory.run(eight);
    assertEquals(weights, wide.weights());
    assertEquals(0, wide.packedBytes());
    assertEquals(1, (double) wide.weightBytes() / weights, 0.01);
    assertTrue(wide.weightBytes() <= Files.size(eight), "the table is stored once");
    assertTrue(wide.bytesPerToken() >= 2 * 2 * 2048 * 4);
    assertTrue(wide.bytesPerToken() <= 1.01 * 2 * 2 * 2048 * 4);
    DecoderMemory.Result narrow = DecoderMemory.run(DecoderMemory.write(folder, SIZE, true));
    assertEquals(0, narrow.packedBytes());
    double expected = (weights - 2304 * 2048) * (0.5 + 2.0 / 128) + 2304 * 2048;
    assertEquals(expected, narrow.weightBytes(), 0.01 * expected);
  }
}
