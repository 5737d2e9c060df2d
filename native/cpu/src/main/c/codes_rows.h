// Rows of 4-bit codes times one token, a stretch of inputs at a time, which is put in order once for all rows and then
// stays in the first cache. Included after FG_TOGETHER, the rows that go through a stretch side by side, and
//   struct fg_book fg_book_of(const float *centroids)   a codebook as look-ups take it
//   void fg_arrange(const float *x, int64_t count, float *to)   inputs in the order in which centroids come
//   void fg_dots(codes, row_bytes, count, x, books, rows, sums)   the products of whole steps of some rows
#include "codes.h"
#include "linear.h"

// Inputs that are put in order together.
enum { FG_STRETCH = 4096 };

static inline __attribute__((always_inline)) void fg_some(const struct fg_codes *w, const float *x, float *y, int64_t row,
                                                          int rows, int64_t k, int64_t count, const float *arranged) {
  const uint8_t *codes = w->codes + row * w->row_bytes + k / 2;
  int64_t whole = count / FG_STEP_CODES * FG_STEP_CODES;
  const float *centroids[FG_TOGETHER];
  struct fg_book books[FG_TOGETHER];
  float sums[FG_TOGETHER];
  for (int r = 0; r < rows; r++) {
    centroids[r] = fg_centroids(w, row + r);
    books[r] = r > 0 && centroids[r] == centroids[r - 1] ? books[r - 1] : fg_book_of(centroids[r]);
  }
  fg_dots(codes, w->row_bytes, whole, arranged, books, rows, sums);
  for (int r = 0; r < rows; r++, codes += w->row_bytes) {
    for (int64_t i = whole; i < count; i++) sums[r] += centroids[r][codes[i / 2] >> (i % 2 * 4) & 15] * x[k + i];
    y[row + r] += sums[r];
  }
}

// Adds the products of rows from one up to another to their outputs.
FG_EXPORT void FG_CODES_TOKEN(const struct fg_codes *w, const float *x, float *y, int64_t from, int64_t to) {
  float arranged[FG_STRETCH] __attribute__((aligned(64)));
  for (int64_t k = 0; k < w->columns; k += FG_STRETCH) {
    int64_t count = w->columns - k < FG_STRETCH ? w->columns - k : FG_STRETCH;
    fg_arrange(x + k, count / FG_STEP_CODES * FG_STEP_CODES, arranged);
    int64_t row = from;
    for (; row + FG_TOGETHER <= to; row += FG_TOGETHER) fg_some(w, x, y, row, FG_TOGETHER, k, count, arranged);
    for (; row < to; row++) fg_some(w, x, y, row, 1, k, count, arranged);
  }
}
