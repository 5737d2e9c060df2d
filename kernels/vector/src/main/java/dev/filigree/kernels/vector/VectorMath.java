package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.F;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Functions of whole vectors. Each states its error against the function in double precision; a
 * test holds it to that.
 */
final class VectorMath {
  private static final FloatVector ZERO = FloatVector.zero(F);

  private static final float LOG2_E = 1.44269504088896341f;

  /**
   * ln 2 in two parts, the first with so few bits that its products with exponents are exact (Cody
   * and Waite).
   */
  private static final float LN2_HIGH = 0.693359375f;

  private static final float LN2_LOW = -2.12194440e-4f;

  /** Adding it to a float of small size leaves the nearest integer in the low bits of the sum. */
  private static final float ROUND = 12582912f;

  /**
   * Below, e^x is no normal float; it becomes 0, since subnormal numbers are slow on many
   * processors.
   */
  private static final float EXP_LEAST = -87.33654f;

  /** Above, e^x is infinite in float, and the two powers of two still have exponents. */
  private static final float EXP_GREATEST = 89f;

  /** Where the fit of {@link #erfOfScaled} ends; beyond, erf(x / sqrt 2) is 1 in float. */
  private static final float ERF_LIMIT = 5.4164379f;

  private VectorMath() {}

  /**
   * The exponential function. Relative error below 2e-7 where the result is a normal float, 0 below
   * that; infinite from 88.73 on; NaN stays NaN.
   */
  static FloatVector exp(FloatVector x) {
    FloatVector clamped = x.max(EXP_LEAST).min(EXP_GREATEST);
    FloatVector shifted = clamped.fma(broadcast(LOG2_E), broadcast(ROUND));
    FloatVector n = shifted.sub(ROUND);
    FloatVector r = n.fma(broadcast(-LN2_HIGH), clamped);
    r = n.fma(broadcast(-LN2_LOW), r);
    // e^r for |r| <= ln 2 / 2: 1 + r + r^2 times a polynomial of degree 4 fitted for the least
    // relative error, 3e-9
    FloatVector p = r.fma(broadcast(1.381459878757596e-3f), broadcast(8.368716575205326e-3f));
    p = p.fma(r, broadcast(4.166838899254799e-2f));
    p = p.fma(r, broadcast(1.666652113199234e-1f));
    p = p.fma(r, broadcast(0.4999999403953552f));
    p = p.fma(r, broadcast(1f));
    p = p.fma(r, broadcast(1f));
    // the low bits of the shifted number are n; 2^n in two factors, so that neither over- nor
    // underflows
    IntVector exponent = shifted.reinterpretAsInts().sub(Float.floatToRawIntBits(ROUND));
    IntVector half = exponent.lanewise(VectorOperators.ASHR, 1);
    // NaN passes through the clamps and the polynomial, and infinity comes of the last product
    FloatVector result = p.mul(powerOfTwo(half)).mul(powerOfTwo(exponent.sub(half)));
    return result.blend(ZERO, x.compare(VectorOperators.LT, EXP_LEAST));
  }

  private static FloatVector powerOfTwo(IntVector exponent) {
    return exponent.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
  }

  private static FloatVector broadcast(float value) {
    return FloatVector.broadcast(F, value);
  }

  /**
   * {@code erf(x / sqrt 2)} as x times a quotient of two polynomials of degree 5 in x^2, fitted for
   * the least greatest error (1.2e-8) on [-5.42, 5.42]. Absolute error below 4e-7.
   */
  private static FloatVector erfOfScaled(FloatVector x) {
    FloatVector c = x.max(-ERF_LIMIT).min(ERF_LIMIT);
    FloatVector t = c.mul(c);
    FloatVector p = t.fma(broadcast(4.655987240198556e-8f), broadcast(1.271586097573163e-5f));
    p = p.fma(t, broadcast(3.300542593933642e-4f));
    p = p.fma(t, broadcast(9.309902787208557e-3f));
    p = p.fma(t, broadcast(6.689654290676117e-2f));
    p = p.fma(t, broadcast(7.97884464263916e-1f));
    FloatVector q = t.fma(broadcast(1.2133423297200352e-6f), broadcast(7.259154517669231e-5f));
    q = q.fma(t, broadcast(1.8629608675837517e-3f));
    q = q.fma(t, broadcast(2.842077612876892e-2f));
    q = q.fma(t, broadcast(2.505084276199341e-1f));
    q = q.fma(t, broadcast(1f));
    return c.mul(p).div(q).max(-1f).min(1f);
  }

  /**
   * GELU in its erf form. Absolute error below {@code 4e-7 * max(1, |x|)}; 0 for negative infinity.
   */
  static FloatVector gelu(FloatVector x) {
    FloatVector half = x.mul(0.5f);
    FloatVector result = half.fma(erfOfScaled(x), half);
    // minus infinity times (1 - 1) would be NaN
    return result.blend(ZERO, x.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY));
  }

  /** The logistic function. Absolute error below 3e-7. */
  static FloatVector sigmoid(FloatVector x) {
    return broadcast(1f).div(exp(x.neg()).add(1f));
  }

  /** The hyperbolic tangent. Absolute error below 4e-7. */
  static FloatVector tanh(FloatVector x) {
    // 1 - 2 / (e^2x + 1); an infinite exponential gives 1, a vanished one -1
    return broadcast(1f).sub(broadcast(2f).div(exp(x.add(x)).add(1f)));
  }

  /** GELU by tanh. Absolute error below {@code 4e-7 * max(1, |x|)}. */
  static FloatVector geluTanh(FloatVector x) {
    FloatVector cube = x.mul(x).mul(x);
    FloatVector inner = cube.fma(broadcast(0.044715f), x).mul(0.79788456f);
    FloatVector half = x.mul(0.5f);
    FloatVector result = half.fma(tanh(inner), half);
    return result.blend(ZERO, x.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY));
  }
}
