// Tile registers: the instructions, or in tests on other processors what they are defined to do.
#ifdef FG_EMULATE_TILES
#include <stdint.h>
#include <string.h>

enum { FG_TILE_ROWS = 16, FG_TILE_BYTES = 64 };

static _Thread_local uint8_t fg_tiles[8][FG_TILE_ROWS][FG_TILE_BYTES];

static inline void fg_tiles_begin(void) { memset(fg_tiles, 0xa5, sizeof fg_tiles); }
static inline void fg_tiles_end(void) {}

#define tile_zero(t) memset(fg_tiles[t], 0, sizeof fg_tiles[t])

static inline void tile_load(int t, const void *from, int64_t stride) {
  for (int r = 0; r < FG_TILE_ROWS; r++) memcpy(fg_tiles[t][r], (const uint8_t *)from + r * stride, FG_TILE_BYTES);
}

static inline void tile_store(int t, void *to, int64_t stride) {
  for (int r = 0; r < FG_TILE_ROWS; r++) memcpy((uint8_t *)to + r * stride, fg_tiles[t][r], FG_TILE_BYTES);
}

static inline void tile_dot_s8_u8(int c, int a, int b) {
  for (int m = 0; m < 16; m++) {
    for (int n = 0; n < 16; n++) {
      int32_t sum;
      memcpy(&sum, &fg_tiles[c][m][4 * n], 4);
      for (int k = 0; k < 16; k++) {
        for (int j = 0; j < 4; j++) sum += (int8_t)fg_tiles[a][m][4 * k + j] * fg_tiles[b][k][4 * n + j];
      }
      memcpy(&fg_tiles[c][m][4 * n], &sum, 4);
    }
  }
}

static inline float fg_bf16(const uint8_t *p) {
  uint32_t bits = (uint32_t)p[1] << 24 | (uint32_t)p[0] << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

static inline void tile_dot_bf16(int c, int a, int b) {
  for (int m = 0; m < 16; m++) {
    for (int n = 0; n < 16; n++) {
      float sum;
      memcpy(&sum, &fg_tiles[c][m][4 * n], 4);
      for (int k = 0; k < 16; k++) {
        for (int j = 0; j < 2; j++) sum += fg_bf16(&fg_tiles[a][m][4 * k + 2 * j]) * fg_bf16(&fg_tiles[b][k][4 * n + 2 * j]);
      }
      memcpy(&fg_tiles[c][m][4 * n], &sum, 4);
    }
  }
}

#else
#include <immintrin.h>
#include <stdint.h>

// The tile configuration of palette 1: all eight registers of 16 rows of 64 bytes.
struct fg_tile_configuration {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};

static inline void fg_tiles_begin(void) {
  struct fg_tile_configuration all = {.palette = 1};
  for (int t = 0; t < 8; t++) {
    all.row_bytes[t] = 64;
    all.rows[t] = 16;
  }
  _tile_loadconfig(&all);
}

// leaves no state in a thread of Java
static inline void fg_tiles_end(void) { _tile_release(); }

#define tile_zero(t) _tile_zero(t)
#define tile_load(t, from, stride) _tile_loadd(t, from, stride)
#define tile_store(t, to, stride) _tile_stored(t, to, stride)
#define tile_dot_s8_u8(c, a, b) _tile_dpbsud(c, a, b)
#define tile_dot_bf16(c, a, b) _tile_dpbf16ps(c, a, b)
#endif
