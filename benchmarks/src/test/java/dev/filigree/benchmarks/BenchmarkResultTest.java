package dev.filigree.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** A benchmark whose result is wrong measures nothing. */
final class BenchmarkResultTest {
  @Test
  void eachLayerAddsTheProductOfItsWeights() {
    int rows = 70;
    int columns = 100;
    for (LinearLayer.Form form : LinearLayer.Form.values()) {
      for (int tokens : new int[] {1, 16, 130}) {
        LinearLayer layer = new LinearLayer(form, rows, columns, tokens);
        layer.run();
        layer.run();
        float[] weights = layer.weights().unpack();
        for (int token = 0; token < tokens; token++) {
          for (int row = 0; row < rows; row++) {
            double sum = 0;
            double size = 0;
            for (int k = 0; k < columns; k++) {
              double product = (double) weights[row * columns + k] * layer.input(token, k);
              sum += product;
              size += Math.abs(product);
            }
            assertEquals(2 * sum, layer.output(token, row), 1e-5 * size, form + " of " + tokens);
          }
        }
      }
    }
  }

  @Test
  void jmhRunsTheLayerOfItsParameters() {
    LinearBenchmark benchmark = new LinearBenchmark();
    benchmark.form = LinearLayer.Form.SPARSE_24;
    benchmark.shape = "12x8";
    benchmark.tokens = 3;
    benchmark.open();
    LinearLayer layer = new LinearLayer(benchmark.form, 12, 8, 3);
    layer.run();
    assertEquals(layer.output(0, 0), benchmark.layer());
  }

  @Test
  void thePeakComputesItsChains() {
    // a = a / 2 + 1 tends to 2; every lane of twelve chains
    double lanes = Peak.flops(1) / 2;
    assertEquals(100 * lanes, Peak.multiplyAdd(200, 0.5f, 1));
    assertEquals(1.5 * lanes, Peak.multiplyAdd(3, 0.5f, 1));
  }

  @Test
  void theBandwidthTestReadsEveryFloat() {
    float[] values = new float[4096];
    Arrays.fill(values, 2);
    values[4095] = 5;
    assertEquals(2 * 4095 + 5, Peak.sum(values));
  }
}
