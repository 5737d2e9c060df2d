package dev.filigree.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import org.junit.jupiter.api.Test;

class FoldingExperimentTest {
  @Test
  void whatCountsWholeOutputsTogetherLosesWithoutFoldingAndRowsDoNotCare() throws IOException {
    for (FoldingExperiment.Result result : FoldingExperiment.measure(1)) {
      if (result.scope().equals("row")) {
        assertEquals(result.folded(), result.asStored(), result.toString());
      } else {
        assertTrue(result.folded() < result.asStored(), result.toString());
      }
      assertTrue(result.folded() > 0, result.toString());
    }
  }
}
