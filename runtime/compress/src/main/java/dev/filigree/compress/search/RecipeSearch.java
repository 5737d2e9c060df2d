package dev.filigree.compress.search;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Chooses an option for each layer under a budget. What layers lose alone does not add up to what
 * they lose together, so the dynamic programme only gives the start; from there neighbours are
 * tried and judged as whole models (the idea is EvoPress's, Sieberling et al., arXiv 2410.14649).
 * The same inputs give the same result.
 */
public final class RecipeSearch {
  /** Steps a budget is counted in. */
  private static final int STEPS = 4000;

  /** Budgets tried to reach a fidelity: a thousandth of the bytes is told apart. */
  private static final int HALVINGS = 10;

  private final Sensitivity scan;
  private final Budget budget;
  private final Sensitivity.Judge judge;
  private final Progress progress;
  private final int evaluations;
  private final double[][] costs;
  private final double[][] losses;
  private final Map<List<Integer>, Double> judged = new HashMap<>();

  private RecipeSearch(
      Sensitivity scan,
      Budget budget,
      Sensitivity.Judge judge,
      int evaluations,
      Progress progress) {
    this.scan = scan;
    this.budget = budget;
    this.judge = judge;
    this.evaluations = evaluations;
    this.progress = progress;
    this.costs = new double[scan.layers()][scan.options().size()];
    this.losses = new double[scan.layers()][scan.options().size()];
    double dense = 0;
    for (int layer = 0; layer < scan.layers(); layer++) {
      double micros = scan.cells()[layer][0].micros();
      dense += Double.isNaN(micros) ? 0 : micros;
    }
    for (int layer = 0; layer < scan.layers(); layer++) {
      for (int option = 0; option < scan.options().size(); option++) {
        Sensitivity.Cell cell = scan.cells()[layer][option];
        losses[layer][option] = Math.max(0, cell.loss());
        double micros = Double.isNaN(cell.micros()) ? 0 : cell.micros();
        costs[layer][option] = budget.kind() == Budget.Kind.LATENCY ? micros / dense : cell.bytes();
      }
    }
  }

  /**
   * What was found.
   *
   * @param choice the option of each layer
   * @param cost of it: bytes, or time over that of the dense layers
   * @param startCosine mean cosine of the dynamic programme's choice
   * @param cosine mean cosine of what was found
   * @param evaluations whole models that were judged
   */
  public record Found(
      int[] choice, double cost, double startCosine, double cosine, int evaluations) {}

  /**
   * Searches.
   *
   * @param evaluations whole models to judge at most after the start
   * @throws InputException if no choice keeps to the budget
   */
  public static Found search(
      Sensitivity scan,
      Budget budget,
      Sensitivity.Judge judge,
      int evaluations,
      Progress progress) {
    return new RecipeSearch(scan, budget, judge, evaluations, progress).search();
  }

  private Found search() {
    int[] start = budget.kind() == Budget.Kind.FIDELITY ? cheapest() : within(budget.bound());
    double startCosine = cosine(start);
    int before = judged.size();
    int[] best = improve(start, before + evaluations);
    return new Found(best, cost(best), startCosine, cosine(best), judged.size());
  }

  private int[] within(double most) {
    int[] choice = Knapsack.solve(costs, losses, most, STEPS);
    if (choice == null) {
      double least = 0;
      for (double[] layer : costs) {
        least += Arrays.stream(layer).min().orElseThrow();
      }
      throw new InputException(
          "no choice keeps to " + describe(most) + "; the least is " + describe(least),
          "raise the budget or add a recipe that is smaller");
    }
    return choice;
  }

  private String describe(double cost) {
    return budget.kind() == Budget.Kind.LATENCY
        ? String.format(Locale.ROOT, "%.3f of the dense layers' time", cost)
        : Math.round(cost) + " bytes";
  }

  /** The dynamic programme's choice for the least bytes with which the model is close enough. */
  private int[] cheapest() {
    double high = 0;
    double low = 0;
    int[] dense = new int[scan.layers()];
    for (int layer = 0; layer < costs.length; layer++) {
      high += costs[layer][0];
      low += Arrays.stream(costs[layer]).min().orElseThrow();
    }
    int[] best = dense;
    for (int i = 0; i < HALVINGS; i++) {
      double middle = (low + high) / 2;
      int[] choice = Knapsack.solve(costs, losses, middle, STEPS);
      if (choice != null && cosine(choice) >= budget.bound()) {
        best = choice;
        high = middle;
      } else {
        low = middle;
      }
    }
    return best;
  }

  private double cost(int[] choice) {
    double cost = 0;
    for (int layer = 0; layer < choice.length; layer++) {
      cost += costs[layer][choice[layer]];
    }
    return cost;
  }

  private double cosine(int[] choice) {
    List<Integer> key = Arrays.stream(choice).boxed().toList();
    Double known = judged.get(key);
    if (known != null) {
      return known;
    }
    double cosine;
    try (Model model = scan.mixed(choice).toModel()) {
      cosine = judge.cosine(model);
    }
    judged.put(key, cosine);
    progress.at("judging choices", judged.size(), judged.size() + 1);
    return cosine;
  }

  /** Goes to better neighbours until there is none or as many models as allowed were judged. */
  private int[] improve(int[] start, int most) {
    int[] best = start;
    for (boolean better = true; better; ) {
      better = false;
      for (int[] neighbour : neighbours(best)) {
        if (judged.size() >= most) {
          return best;
        }
        if (isBetter(neighbour, best)) {
          best = neighbour;
          better = true;
          break;
        }
      }
    }
    return best;
  }

  private boolean isBetter(int[] candidate, int[] best) {
    if (budget.kind() == Budget.Kind.FIDELITY) {
      return cost(candidate) < cost(best) && cosine(candidate) >= budget.bound();
    }
    return cost(candidate) <= budget.bound() && cosine(candidate) > cosine(best);
  }

  /**
   * One layer changed, or two that make up for each other, those first that promise most by what
   * layers lose alone.
   */
  private List<int[]> neighbours(int[] choice) {
    List<int[]> neighbours = new ArrayList<>();
    for (int layer = 0; layer < choice.length; layer++) {
      for (int option = 0; option < costs[layer].length; option++) {
        if (option == choice[layer]) {
          continue;
        }
        int[] changed = choice.clone();
        changed[layer] = option;
        neighbours.add(changed);
        for (int other = 0; other < choice.length; other++) {
          addCounterpart(choice, changed, layer, other, neighbours);
        }
      }
    }
    boolean fidelity = budget.kind() == Budget.Kind.FIDELITY;
    double own = cost(choice);
    neighbours.removeIf(
        neighbour -> fidelity ? cost(neighbour) >= own : cost(neighbour) > budget.bound());
    neighbours.sort(
        Comparator.comparingDouble(
            neighbour ->
                fidelity
                    ? (loss(neighbour) - loss(choice)) / (own - cost(neighbour))
                    : loss(neighbour)));
    return neighbours;
  }

  /** Adds the change with another layer's that turns its cost the other way. */
  private void addCounterpart(
      int[] choice, int[] changed, int layer, int other, List<int[]> neighbours) {
    double won = costs[layer][choice[layer]] - costs[layer][changed[layer]];
    for (int option = 0; other > layer && option < costs[other].length; option++) {
      double wonToo = costs[other][choice[other]] - costs[other][option];
      if (option != choice[other] && won * wonToo < 0) {
        int[] both = changed.clone();
        both[other] = option;
        neighbours.add(both);
      }
    }
  }

  private double loss(int[] choice) {
    double loss = 0;
    for (int layer = 0; layer < choice.length; layer++) {
      loss += losses[layer][choice[layer]];
    }
    return loss;
  }
}
