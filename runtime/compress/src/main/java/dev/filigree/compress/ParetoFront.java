package dev.filigree.compress;

import java.util.List;

/** Which of several options no other beats in both of two respects. */
public final class ParetoFront {
  private ParetoFront() {}

  /**
   * An option.
   *
   * @param cost less is better
   * @param fidelity more is better
   */
  public record Option(double cost, double fidelity) {}

  /**
   * Whether each option is on the front: no other is as good in both respects and better in one. An
   * option with a number that is not one is not.
   */
  public static boolean[] of(List<Option> options) {
    boolean[] front = new boolean[options.size()];
    for (int i = 0; i < front.length; i++) {
      Option own = options.get(i);
      front[i] =
          !Double.isNaN(own.cost + own.fidelity)
              && options.stream().noneMatch(other -> dominates(other, own));
    }
    return front;
  }

  private static boolean dominates(Option a, Option b) {
    return a.cost <= b.cost
        && a.fidelity >= b.fidelity
        && (a.cost < b.cost || a.fidelity > b.fidelity);
  }
}
