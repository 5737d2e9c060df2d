package dev.filigree.compress.search;

import java.util.Arrays;

/**
 * One option for each layer, so that the sum of what is lost is least and the sum of what is paid
 * stays within a budget: a dynamic programme over the budget in steps, as SPDY has it (Frantar and
 * Alistarh, arXiv 2201.13096).
 */
public final class Knapsack {
  /** Of a step: what division may add to a whole number of them. */
  private static final double ROUNDING = 1e-9;

  private Knapsack() {}

  /**
   * The best choice.
   *
   * @param costs {@code [layer][option]}, not negative
   * @param losses {@code [layer][option]}
   * @param budget most that all layers may cost together, more than 0
   * @param steps the budget is counted in; a cost is rounded up to whole steps, so that the budget
   *     holds
   * @return the option of each layer, or null if even the cheapest cost more
   */
  public static int[] solve(double[][] costs, double[][] losses, double budget, int steps) {
    int layers = costs.length;
    double step = budget / steps;
    double[] least = new double[steps + 1];
    int[][] choice = new int[layers][steps + 1];
    for (int layer = 0; layer < layers; layer++) {
      double[] next = new double[steps + 1];
      Arrays.fill(next, Double.POSITIVE_INFINITY);
      Arrays.fill(choice[layer], -1);
      for (int option = 0; option < costs[layer].length; option++) {
        double needed = Math.ceil(costs[layer][option] / step - ROUNDING);
        for (int spent = (int) Math.min(needed, steps + 1.0); spent <= steps; spent++) {
          double loss = least[spent - (int) needed] + losses[layer][option];
          if (loss < next[spent]) {
            next[spent] = loss;
            choice[layer][spent] = option;
          }
        }
      }
      least = next;
    }
    if (layers > 0 && least[steps] == Double.POSITIVE_INFINITY) {
      return null;
    }
    int[] chosen = new int[layers];
    int left = steps;
    for (int layer = layers - 1; layer >= 0; layer--) {
      chosen[layer] = choice[layer][left];
      left -= (int) Math.ceil(costs[layer][chosen[layer]] / step - ROUNDING);
    }
    return chosen;
  }
}
