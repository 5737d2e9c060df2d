// Tiles of a product: some rows of weights against some vectors of tokens, every sum in a register. Written out by
// macros, since arrays of sums would be kept in memory. Included after FG_SUM, the type of a vector of sums, FG_ZERO,
// FG_DOT(sum, x, w) and FG_END(sum, row, at), which finishes the sums of a row from lane `at` on. A kind whose dot
// product takes several groups at a time, or adds something to the sums of a tile, also says how.

#ifndef FG_STEP
#define FG_STEP 1                                   // groups of a dot product
#define FG_OPERAND vi                               // what it takes of them
#define FG_TOKENS(x, width) i_load(x)               // of a vector of tokens
#define FG_WEIGHTS(w) i_set(*(const int32_t *)(w))  // of a row of weights
#define FG_ROW_REST(r, n)                           // what a row's sums lack after all groups
#endif

#define FG_EACH1(m, n) m(0, n)
#define FG_EACH2(m, n) FG_EACH1(m, n) m(1, n)
#define FG_EACH4(m, n) FG_EACH2(m, n) m(2, n) m(3, n)
#define FG_EACH6(m, n) FG_EACH4(m, n) m(4, n) m(5, n)
#define FG_EACH8(m, n) FG_EACH6(m, n) m(6, n) m(7, n)

#define FG_WITH1(m, r) m(r, 0)
#define FG_WITH2(m, r) FG_WITH1(m, r) m(r, 1)
#define FG_WITH4(m, r) FG_WITH2(m, r) m(r, 2) m(r, 3)

#define FG_DECLARE(r, v) FG_SUM sum##r##_##v = FG_ZERO;
#define FG_LOAD(r, v) FG_OPERAND x##v = FG_TOKENS(x + 4 * FG_LANES * v, width);
#define FG_ADD(r, v) sum##r##_##v = FG_DOT(sum##r##_##v, x##v, four);
#define FG_FINISH(r, v) FG_END(sum##r##_##v, row + r, FG_LANES * v)

#define FG_ROW_DECLARE(r, n) FG_WITH##n(FG_DECLARE, r)
#define FG_ROW_ADD(r, n)                                \
  {                                                     \
    FG_OPERAND four = FG_WEIGHTS(w + r * l->row_bytes); \
    FG_WITH##n(FG_ADD, r)                               \
  }
#define FG_ROW_FINISH(r, n) FG_WITH##n(FG_FINISH, r)

#define FG_TILE(rows, vectors)                                                                                     \
  FG_INLINE void fg_tile_##rows##_##vectors(const struct fg_linear *l, const uint8_t *x, int64_t width, int64_t row, \
                                            const uint8_t *ends, float *y, const float *residual) {                \
    (void)ends; /* only integers have them */                                                                      \
    const uint8_t *w = l->weights + row * l->row_bytes, *first = x;                                                \
    /* the rows of the next tile follow those of this one: while it is multiplied they come from further away */   \
    const uint8_t *ahead = w + rows * l->row_bytes;                                                                \
    (void)first; /* where a rest is added from */                                                                  \
    FG_EACH##rows(FG_ROW_DECLARE, vectors)                                                                         \
    /* rows and panels are filled up to many groups */                                                             \
    for (int64_t g = 0; g < l->groups; g += FG_STEP, x += FG_STEP * 4 * width, w += FG_STEP * 4) {                 \
      __builtin_prefetch(ahead);                                                                                   \
      ahead += rows * FG_STEP * 4;                                                                                 \
      FG_WITH##vectors(FG_LOAD, 0)                                                                                 \
      FG_EACH##rows(FG_ROW_ADD, vectors)                                                                           \
    }                                                                                                              \
    FG_EACH##rows(FG_ROW_REST, vectors)                                                                            \
    FG_EACH##rows(FG_ROW_FINISH, vectors)                                                                          \
  }

// Some vectors of tokens against all rows of a block: tiles that fill the registers first.
#define FG_ROWS(vectors, most)                                                                                     \
  FG_TILE(most, vectors)                                                                                           \
  FG_TILE(2, vectors)                                                                                              \
  FG_TILE(1, vectors)                                                                                              \
  static void fg_rows_##vectors(const struct fg_linear *l, const uint8_t *x, int64_t width, int64_t from, int64_t to, \
                                const uint8_t *ends, float *y, const float *residual) {                            \
    int64_t row = from;                                                                                            \
    for (; row + most <= to; row += most) fg_tile_##most##_##vectors(l, x, width, row, ends, y, residual);         \
    for (; row + 2 <= to; row += 2) fg_tile_2_##vectors(l, x, width, row, ends, y, residual);                      \
    for (; row < to; row++) fg_tile_1_##vectors(l, x, width, row, ends, y, residual);                              \
  }

#if FG_LANES == 16
FG_ROWS(4, 6)
FG_ROWS(2, 8)
#else
FG_ROWS(2, 4)
#endif
FG_ROWS(1, 8)

// Rows [from, to) of a layer for one panel, which starts with a token.
FG_EXPORT void FG_NAME(FG_KIND)(const struct fg_linear *l, int64_t start, int64_t width, int64_t from, int64_t to) {
  const uint8_t *codes = l->codes + start * l->token_bytes;
  const uint8_t *ends = codes + width * l->row_bytes;
  float *y = l->y + start * l->rows;
  const float *residual = l->residual ? l->residual + start * l->rows : 0;
  if (width == 1) {
    fg_token(l, codes, from, to, y, residual);
    return;
  }
  for (int64_t t = 0; t < width;) {
    int64_t rest = (width - t) / FG_LANES;
    const uint8_t *x = codes + 4 * t;
    const float *added = residual ? residual + t : 0;
#if FG_LANES == 16
    if (rest >= 4) {
      fg_rows_4(l, x, width, from, to, ends + 4 * t, y + t, added);
      t += 4 * FG_LANES;
      continue;
    }
#endif
    if (rest >= 2) {
      fg_rows_2(l, x, width, from, to, ends + 4 * t, y + t, added);
      t += 2 * FG_LANES;
    } else {
      fg_rows_1(l, x, width, from, to, ends + 4 * t, y + t, added);
      t += FG_LANES;
    }
  }
  fg_activate(l->activation, y + from * width, (to - from) * width);
}
