package dev.filigree.compress.search;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.InputException;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KnapsackTest {
  /** The least loss within a budget, by trying every choice. */
  private static double least(double[][] costs, double[][] losses, double budget, int layer) {
    if (layer == costs.length) {
      return 0;
    }
    double least = Double.POSITIVE_INFINITY;
    for (int option = 0; option < costs[layer].length; option++) {
      if (costs[layer][option] <= budget) {
        double rest = least(costs, losses, budget - costs[layer][option], layer + 1);
        least = Math.min(least, losses[layer][option] + rest);
      }
    }
    return least;
  }

  @Seeded(100)
  void theChoiceIsTheBestOfAll(Samples samples) {
    int layers = samples.between(1, 5);
    double[][] costs = new double[layers][];
    double[][] losses = new double[layers][];
    for (int layer = 0; layer < layers; layer++) {
      int options = samples.between(1, 4);
      costs[layer] = new double[options];
      losses[layer] = new double[options];
      for (int option = 0; option < options; option++) {
        costs[layer][option] = samples.between(0, 30);
        losses[layer][option] = samples.between(0, 1000);
      }
    }
    int budget = samples.between(1, 80);
    double expected = least(costs, losses, budget, 0);
    int[] choice = Knapsack.solve(costs, losses, budget, budget);
    if (expected == Double.POSITIVE_INFINITY) {
      assertNull(choice);
      return;
    }
    double cost = 0;
    double loss = 0;
    for (int layer = 0; layer < layers; layer++) {
      cost += costs[layer][choice[layer]];
      loss += losses[layer][choice[layer]];
    }
    assertTrue(cost <= budget, cost + " of " + budget);
    assertEquals(expected, loss);
  }

  @Test
  void costsAreRoundedUpSoThatTheBudgetHolds() {
    double[][] costs = {{1.5, 0.2}, {1.5, 0.2}};
    double[][] losses = {{0, 1}, {0, 3}};
    assertArrayEquals(new int[] {1, 0}, Knapsack.solve(costs, losses, 2.9, 10));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"bytes=0", "latency=1.5", "fidelity=1", "bytes", "speed=3", "latency=1MB"})
  void aBudgetThatIsNoneIsRefused(String text) {
    assertThrows(InputException.class, () -> Budget.parse(text));
  }

  @Test
  void budgetsAreRead() {
    assertEquals(new Budget(Budget.Kind.BYTES, 1.5e6), Budget.parse("bytes=1.5MB"));
    assertEquals(new Budget(Budget.Kind.BYTES, 300), Budget.parse("bytes=300"));
    assertEquals(new Budget(Budget.Kind.BYTES, 2e3), Budget.parse("bytes=2KB"));
    assertEquals(new Budget(Budget.Kind.BYTES, 3 << 20), Budget.parse("bytes=3MiB"));
    assertEquals(new Budget(Budget.Kind.FIDELITY, 0.98), Budget.parse("fidelity=0.98"));
    assertEquals(new Budget(Budget.Kind.LATENCY, 0.6), Budget.parse("latency=0.6"));
  }
}
