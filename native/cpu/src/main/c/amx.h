// Linear layers by tile instructions: 32 rows of weights against 32 tokens, four tiles of sums from two of each.
// Included after the vectors of AVX-512, FG_TILE_DOT(c, a, b), and FG_SUM_LOAD and FG_END(sum, row, at) for the sums.
#include "tiles.h"

enum { FG_TILE_ROWS_AT_ONCE = 32 };

// Ends the sums of up to 32 rows and one or two vectors of tokens.
FG_INLINE void fg_end_tiles(const struct fg_linear *l, const int32_t *sums, int64_t row, int64_t to, int vectors,
                            int64_t width, const uint8_t *ends, float *y, const float *residual) {
  (void)ends;
  for (int64_t r = row; r < to && r < row + FG_TILE_ROWS_AT_ONCE; r++) {
    for (int v = 0; v < vectors; v++) {
      const int32_t *from = sums + (r - row) * 2 * FG_LANES + v * FG_LANES;
      FG_END(FG_SUM_LOAD(from), r, v * FG_LANES)
    }
  }
}

// Rows [from, to) of a layer for one panel, which starts with a token. Rows of weights that fill the last tiles up are
// multiplied as well, and their sums dropped.
FG_EXPORT void FG_NAME(FG_KIND)(const struct fg_linear *l, int64_t start, int64_t width, int64_t from, int64_t to) {
  if (width == 1) {
    FG_ONE_TOKEN(l, start, width, from, to);
    return;
  }
  const uint8_t *codes = l->codes + start * l->token_bytes;
  const uint8_t *ends = codes + width * l->row_bytes;
  float *y = l->y + start * l->rows;
  const float *residual = l->residual ? l->residual + start * l->rows : 0;
  int32_t sums[FG_TILE_ROWS_AT_ONCE * 2 * FG_LANES] __attribute__((aligned(64)));
  const int64_t lines = 4 * width;  // bytes from one group to the next
  fg_tiles_begin();
  for (int64_t t = 0; t < width; t += 2 * FG_LANES) {
    int two = width - t > FG_LANES;
    const float *added = residual ? residual + t : 0;
    for (int64_t row = from; row < to; row += FG_TILE_ROWS_AT_ONCE) {
      const uint8_t *w = l->weights + row * l->row_bytes;
      const uint8_t *x = codes + 4 * t;
      tile_zero(0);
      tile_zero(1);
      tile_zero(2);
      tile_zero(3);
      for (int64_t k = 0; k < l->row_bytes; k += 64, w += 64, x += 16 * lines) {
        tile_load(4, w, l->row_bytes);
        tile_load(5, w + 16 * l->row_bytes, l->row_bytes);
        tile_load(6, x, lines);
        FG_TILE_DOT(0, 4, 6);
        FG_TILE_DOT(2, 5, 6);
        if (two) {
          tile_load(7, x + 64, lines);
          FG_TILE_DOT(1, 4, 7);
          FG_TILE_DOT(3, 5, 7);
        }
      }
      tile_store(0, sums, 128);
      tile_store(1, sums + FG_LANES, 128);
      tile_store(2, sums + 16 * 2 * FG_LANES, 128);
      tile_store(3, sums + 16 * 2 * FG_LANES + FG_LANES, 128);
      fg_end_tiles(l, sums, row, to, two ? 2 : 1, width, ends + 4 * t, y + t, added);
    }
  }
  fg_tiles_end();
  fg_activate(l->activation, y + from * width, (to - from) * width);
}
