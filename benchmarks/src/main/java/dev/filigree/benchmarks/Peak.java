package dev.filigree.benchmarks;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * What one thread of the machine can do at most: multiply-adds in registers, and reads of memory.
 */
public final class Peak {
  private static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;

  /** Chains of multiply-adds: more than the latency times the units of any processor of today. */
  private static final int CHAINS = 12;

  private Peak() {}

  /** Floating-point operations of a number of steps. */
  public static double flops(int steps) {
    return 2.0 * CHAINS * F.length() * steps;
  }

  /**
   * Steps of twelve independent chains {@code a = x * y + a}; returns the sum of all. A sum as a
   * factor, {@code a = a * x + y}, would need a copy of y for each: the instruction overwrites its
   * summand.
   */
  public static float multiplyAdd(int steps, float factor, float summand) {
    FloatVector x = FloatVector.broadcast(F, factor);
    FloatVector y = FloatVector.broadcast(F, summand);
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    FloatVector e = a;
    FloatVector f = a;
    FloatVector g = a;
    FloatVector h = a;
    FloatVector i = a;
    FloatVector j = a;
    FloatVector k = a;
    FloatVector l = a;
    for (int step = 0; step < steps; step++) {
      a = x.fma(y, a);
      b = x.fma(y, b);
      c = x.fma(y, c);
      d = x.fma(y, d);
      e = x.fma(y, e);
      f = x.fma(y, f);
      g = x.fma(y, g);
      h = x.fma(y, h);
      i = x.fma(y, i);
      j = x.fma(y, j);
      k = x.fma(y, k);
      l = x.fma(y, l);
    }
    FloatVector low = a.add(b).add(c.add(d)).add(e.add(f));
    FloatVector high = g.add(h).add(i.add(j)).add(k.add(l));
    return low.add(high).reduceLanes(VectorOperators.ADD);
  }

  /** The sum of an array, read once from one end to the other. */
  public static float sum(float[] values) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    int n = F.length();
    for (int i = 0; i + 4 * n <= values.length; i += 4 * n) {
      a = a.add(FloatVector.fromArray(F, values, i));
      b = b.add(FloatVector.fromArray(F, values, i + n));
      c = c.add(FloatVector.fromArray(F, values, i + 2 * n));
      d = d.add(FloatVector.fromArray(F, values, i + 3 * n));
    }
    return a.add(b).add(c.add(d)).reduceLanes(VectorOperators.ADD);
  }
}
