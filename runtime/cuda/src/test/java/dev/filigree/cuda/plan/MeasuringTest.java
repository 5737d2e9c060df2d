package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.format.onnx.OnnxReader;
import dev.filigree.graph.pass.Passes;
import dev.filigree.testing.MiniLm;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

class MeasuringTest {
  /** It decides whether weights are measured from memory or from the cache. */
  @Test
  void layersCountAndTablesOfWordsDoNot() {
    try (Arena arena = Arena.ofShared()) {
      long ofLayer = 4 * 384 * 384 + 2 * 384 * 1536;
      assertEquals(
          2 * 6 * ofLayer,
          Measuring.weightBytes(Passes.standard(OnnxReader.read(MiniLm.dense(), arena))));
    }
  }
}
