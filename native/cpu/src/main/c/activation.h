// Functions of whole vectors, operation by operation those of dev.filigree.kernels.vector.VectorMath, which says where
// their polynomials come from and how far they err: a layer gives the same bits whether its sums come from here or
// from there. Included after the vectors of some width.

#define FG_ROUND 12582912.0f  // added and subtracted again it leaves the nearest integer
#define FG_LOG2_E 1.44269504088896341f
#define FG_LN2_HIGH 0.693145752f
#define FG_LN2_LOW 1.42860677e-6f

FG_INLINE vf fg_power_of_two(vi exponent) { return f_bits(i_shl(i_add(exponent, i_set(127)), 23)); }

// max and min that keep NaN
FG_INLINE vf fg_clamp(vf x, float least, float most) { return f_min(f_set(most), f_max(f_set(least), x)); }

FG_INLINE vf fg_exp(vf x) {
  vf clamped = fg_clamp(x, -87.33654f, 89.0f);
  vf shifted = f_fma(clamped, f_set(FG_LOG2_E), f_set(FG_ROUND));
  vf n = f_sub(shifted, f_set(FG_ROUND));
  vf r = f_fma(n, f_set(-FG_LN2_HIGH), clamped);
  r = f_fma(n, f_set(-FG_LN2_LOW), r);
  vf p = f_fma(r, f_set(0x1.694p-10f), f_set(0x1.125edcp-7f));
  p = f_fma(p, r, f_set(0x1.555b5ap-5f));
  p = f_fma(p, r, f_set(0x1.55545p-3f));
  p = f_fma(p, r, f_set(0x1.fffff6p-2f));
  p = f_fma(p, r, f_set(1));
  p = f_fma(p, r, f_set(1));
  vi exponent = i_sub(i_bits(shifted), i_bits(f_set(FG_ROUND)));
  vi half = i_sar(exponent, 1);
  vf result = f_mul(f_mul(p, fg_power_of_two(half)), fg_power_of_two(i_sub(exponent, half)));
  return f_if_lt(x, f_set(-87.33654f), f_set(0), result);
}

FG_INLINE vf fg_erf(vf x) {
  vi sign = i_and(i_bits(x), i_set(INT32_MIN));
  vf a = f_min(f_set(3.925f), f_bits(i_and(i_bits(x), i_set(INT32_MAX))));
  vf t = f_mul(a, a);
  vf small = f_fma(t, f_set(-5.99104969e-4f), f_set(4.99339588e-3f));
  small = f_fma(small, t, f_set(-2.67667342e-2f));
  small = f_fma(small, t, f_set(1.12818025e-1f));
  small = f_fma(small, t, f_set(-3.76124859e-1f));
  small = f_fma(small, t, f_set(1.28379151e-1f));
  small = f_fma(small, a, a);
  vf p = f_fma(a, f_set(1.72948930e-5f), f_set(-3.83208680e-4f));
  p = f_fma(p, a, f_set(3.88393435e-3f));
  p = f_fma(p, a, f_set(-2.42545605e-2f));
  p = f_fma(p, a, f_set(1.06777847e-1f));
  p = f_fma(p, a, f_set(6.34846687e-1f));
  p = f_fma(p, a, f_set(1.28717512e-1f));
  p = f_bits(i_sub(i_bits(f_fma(p, a, a)), i_set(INT32_MIN)));  // negated
  vf shifted = f_fma(p, f_set(FG_LOG2_E), f_set(FG_ROUND));
  vf n = f_sub(shifted, f_set(FG_ROUND));
  vf r = f_fma(n, f_set(-FG_LN2_HIGH), p);
  r = f_fma(n, f_set(-FG_LN2_LOW), r);
  vf e = f_fma(r, f_set(1.38319808e-3f), f_set(8.37550033e-3f));
  e = f_fma(e, r, f_set(4.16689515e-2f));
  e = f_fma(e, r, f_set(1.66664466e-1f));
  e = f_fma(e, r, f_set(4.99999851e-1f));
  e = f_fma(e, r, f_set(1));
  e = f_fma(e, r, f_set(1));
  vi exponent = i_sub(i_bits(shifted), i_bits(f_set(FG_ROUND)));
  vf large = f_sub(f_set(1), f_mul(e, fg_power_of_two(exponent)));
  vf magnitude = f_if_ge(a, f_set(0.921875f), large, small);
  return f_bits(i_or(i_bits(magnitude), sign));
}

// minus infinity times (1 - 1) would be NaN
FG_INLINE vf fg_zero_at_minus_infinity(vf x, vf y) { return f_if_eq(x, f_set(-__builtin_inff()), f_set(0), y); }

FG_INLINE vf fg_gelu(vf x) {
  vf y = f_mul(f_mul(f_add(fg_erf(f_div(x, f_set(1.41421356237309505f))), f_set(1)), f_set(0.5f)), x);
  return fg_zero_at_minus_infinity(x, y);
}

FG_INLINE vf fg_sigmoid(vf x) {
  vf negative = f_bits(i_sub(i_bits(x), i_set(INT32_MIN)));
  return f_div(f_set(1), f_add(fg_exp(negative), f_set(1)));
}

FG_INLINE vf fg_tanh(vf x) {
  vf t = f_mul(x, x);
  vf p = f_fma(t, f_set(-5.70498872745e-3f), f_set(2.06390887954e-2f));
  p = f_fma(p, t, f_set(-5.37397155531e-2f));
  p = f_fma(p, t, f_set(1.33314422036e-1f));
  p = f_fma(p, t, f_set(-3.33332819422e-1f));
  vf small = f_fma(f_mul(p, t), x, x);
  vf large = f_sub(f_set(1), f_div(f_set(2), f_add(fg_exp(f_add(x, x)), f_set(1))));
  vf a = f_bits(i_and(i_bits(x), i_set(INT32_MAX)));
  return f_if_lt(a, f_set(0.625f), small, large);
}

FG_INLINE vf fg_gelu_tanh(vf x) {
  vf cube = f_mul(f_mul(x, x), x);
  vf inner = f_mul(f_fma(cube, f_set(0.044715f), x), f_set(-1.5957691f));
  vf y = f_div(x, f_add(fg_exp(inner), f_set(1)));
  return fg_zero_at_minus_infinity(x, y);
}

// a factor of minus infinity would make NaN of the 0 beside it; NaN itself passes
FG_INLINE vf fg_silu(vf x) { return f_mul(fg_sigmoid(x), f_max(f_set(-3.40282347e38f), x)); }

FG_INLINE vf fg_hard_swish(vf x) {
  vf gate = fg_clamp(f_add(f_mul(x, f_set(1.0f / 6)), f_set(0.5f)), 0, 1);
  return f_mul(x, gate);
}

// the sum makes 0 of -0, as Java's maximum does
FG_INLINE vf fg_relu(vf x) { return f_add(f_max(f_set(0), x), f_set(0)); }

#define FG_EACH(function) \
  for (int64_t i = 0; i < count; i += FG_LANES) f_store(x + i, function(f_load(x + i)))

// Applies a function in place to whole vectors of values.
static void fg_activate(int64_t activation, float *x, int64_t count) {
  switch (activation) {
    case FG_RELU: FG_EACH(fg_relu); break;
    case FG_GELU: FG_EACH(fg_gelu); break;
    case FG_GELU_TANH: FG_EACH(fg_gelu_tanh); break;
    case FG_TANH: FG_EACH(fg_tanh); break;
    case FG_SIGMOID: FG_EACH(fg_sigmoid); break;
    case FG_SILU: FG_EACH(fg_silu); break;
    case FG_HARD_SWISH: FG_EACH(fg_hard_swish); break;
    default: break;
  }
}
