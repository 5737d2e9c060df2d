package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.F;
import static jdk.incubator.vector.FloatVector.broadcast;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Functions of whole vectors. Each states its error against the function in double precision; a
 * test holds it to that.
 *
 * <p>The exponential and the error function use the minimax polynomials that Norbert Juffa
 * published (answers on Stack Overflow 35148198 and on NVIDIA's forum, 47528), which ONNX Runtime's
 * kernels use as well. Where a model rounds its activations to integers, a difference in the last
 * bit may carry one over to the next; with the same polynomials, evaluated in the same order, there
 * is none.
 *
 * <p>The long ones call the Vector API only. The directives make C2 inline what is called here, but
 * not into a method that has grown beyond its limit of nodes, where only the API's own methods
 * still are; a vector that crosses a call is an object.
 */
final class VectorMath {
  private static final FloatVector ZERO = FloatVector.zero(F);

  static final float LOG2_E = 1.44269504088896341f;

  /**
   * ln 2 in two parts, the first with so few bits that its products with exponents are exact (Cody
   * and Waite).
   */
  static final float LN2_HIGH = 0.693145752f;

  static final float LN2_LOW = 1.42860677e-6f;

  /** Adding it to a float of small size leaves the nearest integer in the low bits of the sum. */
  static final float ROUND = 12582912f;

  /**
   * Below, e^x is no normal float; it becomes 0, since subnormal numbers are slow on many
   * processors.
   */
  static final float EXP_LEAST = -87.33654f;

  /** Above, e^x is infinite in float, and the two powers of two still have exponents. */
  private static final float EXP_GREATEST = 89f;

  private static final float SQRT_2 = 1.41421356237309505f;

  /** Beyond, erf is 1 in float. */
  private static final float ERF_LIMIT = 3.925f;

  /** Where the fit of {@link #erf} changes from a polynomial to an exponential function of one. */
  private static final float ERF_SPLIT = 0.921875f;

  /** Where {@link #tanh} changes from a polynomial to the exponential function. */
  private static final float TANH_SPLIT = 0.625f;

  /** Beyond, {@link #gate} is 0 or 1 in float. */
  static final float GATE_MOST = 18f;

  /** Beyond, {@link #state} is -1 or 1 in float. */
  static final float STATE_MOST = 7.90531110763549805f;

  private VectorMath() {}

  /**
   * The exponential function. Relative error below 2e-7 where the result is a normal float, 0 below
   * that; infinite from 88.73 on; NaN stays NaN.
   */
  static FloatVector exp(FloatVector x) {
    FloatVector clamped = x.max(EXP_LEAST).min(EXP_GREATEST);
    FloatVector shifted = clamped.fma(broadcast(F, LOG2_E), broadcast(F, ROUND));
    FloatVector n = shifted.sub(ROUND);
    FloatVector r = n.fma(broadcast(F, -LN2_HIGH), clamped);
    r = n.fma(broadcast(F, -LN2_LOW), r);
    // e^r for |r| <= ln 2 / 2
    FloatVector p = r.fma(broadcast(F, 0x1.694p-10f), broadcast(F, 0x1.125edcp-7f));
    p = p.fma(r, broadcast(F, 0x1.555b5ap-5f));
    p = p.fma(r, broadcast(F, 0x1.55545p-3f));
    p = p.fma(r, broadcast(F, 0x1.fffff6p-2f));
    p = p.fma(r, broadcast(F, 1f));
    p = p.fma(r, broadcast(F, 1f));
    // the low bits of the shifted number are n; 2^n in two factors, so that neither over- nor
    // underflows
    IntVector exponent = shifted.reinterpretAsInts().sub(Float.floatToRawIntBits(ROUND));
    IntVector half = exponent.lanewise(VectorOperators.ASHR, 1);
    // NaN passes through the clamps and the polynomial, and infinity comes of the last product
    IntVector rest = exponent.sub(half);
    FloatVector first = half.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
    FloatVector second = rest.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
    FloatVector result = p.mul(first).mul(second);
    return result.blend(ZERO, x.compare(VectorOperators.LT, EXP_LEAST));
  }

  /**
   * The error function: below {@link #ERF_SPLIT} an odd polynomial, above {@code 1 - e^-p} of
   * another, whose exponential is fitted for this use. Absolute error below 1.2e-7.
   */
  static FloatVector erf(FloatVector x) {
    FloatVector a = x.abs().min(ERF_LIMIT);
    FloatVector t = a.mul(a);
    FloatVector small = t.fma(broadcast(F, -5.99104969e-4f), broadcast(F, 4.99339588e-3f));
    small = small.fma(t, broadcast(F, -2.67667342e-2f));
    small = small.fma(t, broadcast(F, 1.12818025e-1f));
    small = small.fma(t, broadcast(F, -3.76124859e-1f));
    small = small.fma(t, broadcast(F, 1.28379151e-1f));
    small = small.fma(a, a);
    FloatVector p = a.fma(broadcast(F, 1.72948930e-5f), broadcast(F, -3.83208680e-4f));
    p = p.fma(a, broadcast(F, 3.88393435e-3f));
    p = p.fma(a, broadcast(F, -2.42545605e-2f));
    p = p.fma(a, broadcast(F, 1.06777847e-1f));
    p = p.fma(a, broadcast(F, 6.34846687e-1f));
    p = p.fma(a, broadcast(F, 1.28717512e-1f));
    p = p.fma(a, a).neg();
    FloatVector shifted = p.fma(broadcast(F, LOG2_E), broadcast(F, ROUND));
    FloatVector n = shifted.sub(ROUND);
    FloatVector r = n.fma(broadcast(F, -LN2_HIGH), p);
    r = n.fma(broadcast(F, -LN2_LOW), r);
    FloatVector e = r.fma(broadcast(F, 1.38319808e-3f), broadcast(F, 8.37550033e-3f));
    e = e.fma(r, broadcast(F, 4.16689515e-2f));
    e = e.fma(r, broadcast(F, 1.66664466e-1f));
    e = e.fma(r, broadcast(F, 4.99999851e-1f));
    e = e.fma(r, broadcast(F, 1f));
    e = e.fma(r, broadcast(F, 1f));
    // the low bits of the shifted number are n, between -24 and 0
    IntVector exponent = shifted.reinterpretAsInts().sub(Float.floatToRawIntBits(ROUND));
    FloatVector power = exponent.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
    FloatVector large = broadcast(F, 1f).sub(e.mul(power));
    FloatVector magnitude = small.blend(large, a.compare(VectorOperators.GE, ERF_SPLIT));
    IntVector sign = x.reinterpretAsInts().and(Integer.MIN_VALUE);
    return magnitude.reinterpretAsInts().or(sign).reinterpretAsFloats();
  }

  /**
   * GELU in its erf form, as it is written in ONNX graphs: {@code x / sqrt 2}, erf, plus 1, times
   * x, times a half. Absolute error below {@code 4e-7 * max(1, |x|)}; 0 for negative infinity.
   */
  static FloatVector gelu(FloatVector x) {
    // halved before, which rounds nothing, so that the largest floats do not overflow
    FloatVector result = erf(x.div(SQRT_2)).add(1f).mul(0.5f).mul(x);
    // minus infinity times (1 - 1) would be NaN
    return result.blend(ZERO, x.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY));
  }

  /** The logistic function. Absolute error below 3e-7. */
  static FloatVector sigmoid(FloatVector x) {
    return broadcast(F, 1f).div(exp(x.neg()).add(1f));
  }

  /**
   * The hyperbolic tangent: below {@link #TANH_SPLIT} the odd polynomial of S. Moshier's Cephes,
   * which keeps the digits of small numbers, above by the exponential function. Relative error
   * below 4e-7.
   */
  static FloatVector tanh(FloatVector x) {
    FloatVector t = x.mul(x);
    FloatVector p = t.fma(broadcast(F, -5.70498872745e-3f), broadcast(F, 2.06390887954e-2f));
    p = p.fma(t, broadcast(F, -5.37397155531e-2f));
    p = p.fma(t, broadcast(F, 1.33314422036e-1f));
    p = p.fma(t, broadcast(F, -3.33332819422e-1f));
    FloatVector small = p.mul(t).fma(x, x);
    // 1 - 2 / (e^2x + 1); an infinite exponential gives 1, a vanished one -1
    FloatVector large = broadcast(F, 1f).sub(broadcast(F, 2f).div(exp(x.add(x)).add(1f)));
    return large.blend(small, x.abs().compare(VectorOperators.LT, TANH_SPLIT));
  }

  /**
   * The logistic function by a quotient of polynomials, from ONNX Runtime's kernels, which takes
   * half the time of {@link #sigmoid} but has no digits of small results. Absolute error below
   * 2e-7, from 0 to 1.
   *
   * @param most at most {@link #GATE_MOST}; what is clamped to it
   */
  static FloatVector gate(FloatVector x, float most) {
    FloatVector c = x.max(-most).min(most);
    FloatVector t = c.mul(c);
    FloatVector p = t.fma(broadcast(F, 4.37031012579801e-11f), broadcast(F, 1.15627324459942e-7f));
    FloatVector q = t.fma(broadcast(F, 6.10247389755681e-13f), broadcast(F, 5.76102136993427e-9f));
    p = p.fma(t, broadcast(F, 6.08574864600143e-5f));
    q = q.fma(t, broadcast(F, 6.29106785017040e-6f));
    p = p.fma(t, broadcast(F, 8.51377133304701e-3f));
    q = q.fma(t, broadcast(F, 1.70198817374094e-3f));
    p = p.fma(t, broadcast(F, 2.48287947061529e-1f));
    q = q.fma(t, broadcast(F, 1.16817656904453e-1f));
    q = q.fma(t, broadcast(F, 9.93151921023180e-1f));
    return p.mul(c).div(q).add(0.5f).max(0f).min(1f);
  }

  /**
   * The hyperbolic tangent by a quotient of polynomials, from Eigen, which takes half the time of
   * {@link #tanh}. Relative error below 4e-7.
   *
   * @param most at most {@link #STATE_MOST}; what is clamped to it
   */
  static FloatVector state(FloatVector x, float most) {
    FloatVector c = x.max(-most).min(most);
    FloatVector t = c.mul(c);
    FloatVector p =
        t.fma(broadcast(F, -2.76076847742355e-16f), broadcast(F, 2.00018790482477e-13f));
    FloatVector q = t.fma(broadcast(F, 1.19825839466702e-6f), broadcast(F, 1.18534705686654e-4f));
    p = p.fma(t, broadcast(F, -8.60467152213735e-11f));
    q = q.fma(t, broadcast(F, 2.26843463243900e-3f));
    p = p.fma(t, broadcast(F, 5.12229709037114e-8f));
    q = q.fma(t, broadcast(F, 4.89352518554385e-3f));
    p = p.fma(t, broadcast(F, 1.48572235717979e-5f));
    p = p.fma(t, broadcast(F, 6.37261928875436e-4f));
    p = p.fma(t, broadcast(F, 4.89352455891786e-3f));
    return p.mul(c).div(q);
  }

  /**
   * GELU by tanh, {@code x / (1 + e^-2u)}, which loses nothing where the tanh of u is near -1.
   * Absolute error below {@code 4e-7 * max(1, |x|)}.
   */
  static FloatVector geluTanh(FloatVector x) {
    FloatVector cube = x.mul(x).mul(x);
    FloatVector inner = cube.fma(broadcast(F, 0.044715f), x).mul(-1.5957691f);
    FloatVector result = x.div(exp(inner).add(1f));
    return result.blend(ZERO, x.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY));
  }
}
