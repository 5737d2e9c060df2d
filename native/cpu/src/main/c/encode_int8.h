// Rounds panels of activations to 8 bits. Included after the vectors of some width, which FG_NAME gives names.
#include <float.h>

#include "linear.h"

// Rounds like DynamicQuantizeLinear, less the zero point: clamped before, since an infinite quotient has no integer.
FG_INLINE vi fg_code(vf quotient, vf least, vf most, vi zero) {
  // NaN would come out as the zero point's neighbour of all ones; the scale is NaN as well then, and so every output
  return i_add(i_of(f_min(f_max(quotient, least), most)), zero);
}

// Scale and zero point of values between two bounds, 0 included: of each lane for itself. The parts are divided before
// they are subtracted, which cannot overflow; a range too small for a normal scale gets the least one.
FG_INLINE void fg_scale(vf least, vf most, vf *scale, vi *zero) {
  vf n = f_set(255);
  vf found = f_sub(f_div(most, n), f_div(least, n));
  found = f_max(f_set(FLT_MIN), found);
  *scale = found;
  *zero = i_max(i_set(0), i_min(i_set(255), i_of(f_div(f_sub(f_set(0), least), found))));
}

// A panel of many tokens, vectors along tokens; x and codes of some tokens, a vector of them.
FG_INLINE void fg_encode_lanes(const float *x, int64_t width, int64_t features, uint8_t *codes, int64_t row_bytes,
                               vf scale, vi zero, int exact) {
  vf inverse = f_div(f_set(1), scale);
  vf low = f_of(i_sub(i_set(0), zero));
  vf high = f_of(i_sub(i_set(255), zero));
  int64_t group = 4 * width;
  int64_t f = 0;
  for (; f + 4 <= features; f += 4, x += 4 * width, codes += group) {
    vi packed = i_set(0);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
      vf value = f_load(x + j * width);
      vf quotient = exact ? f_div(value, scale) : f_mul(value, inverse);
      packed = i_or(packed, i_shl(fg_code(quotient, low, high, zero), 8 * j));
    }
    i_store(codes, packed);
  }
  if (f < features) {
    vi packed = i_set(0);
    for (int j = 0; f + j < features; j++) {
      vf value = f_load(x + j * width);
      vf quotient = exact ? f_div(value, scale) : f_mul(value, inverse);
      vi code = fg_code(quotient, low, high, zero);
      // the count of a shift must be a constant
      packed = i_or(packed, j == 0 ? code : j == 1 ? i_shl(code, 8) : i_shl(code, 16));
    }
    i_store(codes, packed);
    f += 4;
    codes += group;
  }
  for (; f < row_bytes; f += 4, codes += group) i_store(codes, i_set(0));
}

// A panel of one token: a row, vectors along features.
FG_INLINE void fg_encode_row(const float *x, int64_t features, uint8_t *codes, int64_t row_bytes, float scale,
                             int32_t zero, int exact) {
  vf inverse = f_set(1 / scale);
  vf low = f_set((float)-zero);
  vf high = f_set((float)(255 - zero));
  int64_t f = 0;
  for (; f + FG_LANES <= features; f += FG_LANES) {
    vf quotient = exact ? f_div(f_load(x + f), f_set(scale)) : f_mul(f_load(x + f), inverse);
    i_store_bytes(codes + f, fg_code(quotient, low, high, i_set(zero)));
  }
  if (f < row_bytes) {
    float rest[FG_LANES] = {0};
    uint8_t bytes[FG_LANES];
    int64_t count = features - f;
    for (int64_t i = 0; i < count; i++) rest[i] = x[f + i];
    vf quotient = exact ? f_div(f_load(rest), f_set(scale)) : f_mul(f_load(rest), inverse);
    i_store_bytes(bytes, fg_code(quotient, low, high, i_set(zero)));
    for (int64_t i = 0; i < count; i++) codes[f + i] = bytes[i];
    for (f += count; f < row_bytes; f++) codes[f] = 0;
  }
}

FG_INLINE int64_t fg_row_bytes(int64_t features) { return (features + 63) / 64 * 64; }

// Range of consecutive values, 0 included; NaN if one of them is.
FG_EXPORT void FG_NAME(int8_range)(const float *x, int64_t count, float *range) {
  enum { SUMS = 4 };  // chains, so that none waits for the one before
  vf least[SUMS], most[SUMS], marks[SUMS];
  for (int j = 0; j < SUMS; j++) least[j] = most[j] = marks[j] = f_set(0);
  int64_t i = 0;
  for (; i + SUMS * FG_LANES <= count; i += SUMS * FG_LANES) {
#pragma GCC unroll 4
    for (int j = 0; j < SUMS; j++) {
      vf value = f_load(x + i + j * FG_LANES);
      least[j] = f_min(value, least[j]);
      most[j] = f_max(value, most[j]);
      // NaN once a value is, and else a number or infinite
      marks[j] = f_add(f_mul(value, f_set(0)), marks[j]);
    }
  }
  float low = 0, high = 0, mark = 0;
  for (int j = 0; j < SUMS; j++) {
    float l = f_least(least[j]), h = f_greatest(most[j]);
    low = l < low ? l : low;
    high = h > high ? h : high;
    mark += f_sum(marks[j]);
  }
  for (; i < count; i++) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
    mark += x[i] * 0;
  }
  // infinite values spoil the scale as NaN does, so that both may be marked
  range[0] = low + mark;
  range[1] = high + mark;
}

// Rounds a panel with the scale and zero point of the whole matrix, as DynamicQuantizeLinear does.
FG_EXPORT void FG_NAME(int8_codes)(const float *x, int64_t width, int64_t features, uint8_t *codes, float scale,
                                   int32_t zero) {
  int64_t row_bytes = fg_row_bytes(features);
  float *scales = (float *)(codes + row_bytes * width);
  int32_t *zeros = (int32_t *)(scales + width);
  for (int64_t t = 0; t < width; t++) {
    scales[t] = scale;
    zeros[t] = zero;
  }
  if (width == 1) {
    fg_encode_row(x, features, codes, row_bytes, scale, zero, 1);
    return;
  }
  for (int64_t t = 0; t < width; t += FG_LANES) {
    fg_encode_lanes(x + t, width, features, codes + 4 * t, row_bytes, f_set(scale), i_set(zero), 1);
  }
}

// Rounds every token of a panel with a scale and zero point of its own. A token with NaN or an infinite value gets a
// scale that makes NaN of all its outputs.
FG_EXPORT void FG_NAME(int8_encode)(const float *x, int64_t width, int64_t features, uint8_t *codes) {
  int64_t row_bytes = fg_row_bytes(features);
  float *scales = (float *)(codes + row_bytes * width);
  int32_t *zeros = (int32_t *)(scales + width);
  if (width == 1) {
    vf least = f_set(0), most = f_set(0), marks = f_set(0);
    int64_t f = 0;
    for (; f + FG_LANES <= features; f += FG_LANES) {
      vf value = f_load(x + f);
      least = f_min(value, least);
      most = f_max(value, most);
      marks = f_add(marks, f_sub(value, value));
    }
    float low = f_least(least), high = f_greatest(most), mark = f_sum(marks);
    for (; f < features; f++) {
      low = x[f] < low ? x[f] : low;
      high = x[f] > high ? x[f] : high;
      mark += x[f] - x[f];
    }
    vf scale;
    vi zero;
    float found[FG_LANES];
    int32_t zero_found[FG_LANES];
    fg_scale(f_set(low), f_set(high), &scale, &zero);
    f_store(found, scale);
    i_store(zero_found, zero);
    // the difference of a number and itself is 0, or NaN where that is NaN or infinite
    scales[0] = found[0] + mark;
    zeros[0] = zero_found[0];
    fg_encode_row(x, features, codes, row_bytes, scales[0], zeros[0], 0);
    return;
  }
  for (int64_t t = 0; t < width; t += FG_LANES) {
    vf least = f_set(0), most = f_set(0), marks = f_set(0);
    for (int64_t f = 0; f < features; f++) {
      vf value = f_load(x + t + f * width);
      least = f_min(value, least);
      most = f_max(value, most);
      marks = f_add(marks, f_sub(value, value));
    }
    vf scale;
    vi zero;
    fg_scale(least, most, &scale, &zero);
    scale = f_add(scale, marks);
    fg_encode_lanes(x + t, width, features, codes + 4 * t, row_bytes, scale, zero, 0);
    f_store(scales + t, scale);
    i_store(zeros + t, zero);
  }
}
