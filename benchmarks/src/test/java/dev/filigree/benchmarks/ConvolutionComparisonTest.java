package dev.filigree.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Both runtimes compute the same, or their times mean nothing. */
final class ConvolutionComparisonTest {
  @TempDir private Path folder;

  @Test
  void bothRuntimesGiveTheSameOutputs() throws OrtException {
    int[] layer = {8, 12, 9, 3};
    for (ConvolutionComparison.Mask mask : ConvolutionComparison.Mask.values()) {
      Path file = ConvolutionComparison.layer(folder.resolve("layer.onnx"), layer, mask);
      long[] shape = {1, 8, 9, 9};
      ConvolutionComparison.Result result =
          ConvolutionComparison.compare(file, shape, 3, 1_000_000);
      assertEquals(0, result.difference(), 1e-5);
      assertTrue(result.ratio() > 0 && result.ownMillis() > 0 && result.peerMillis() > 0);
    }
  }
}
