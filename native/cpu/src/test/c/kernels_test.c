// Compares every kernel with a loop that is obviously right, at odd sizes; the tile instructions as they are defined, so
// that their kernels are tested on processors without them. Those kernels that the processor cannot run are named and
// left out. The Java tests compare the same kernels with the kernels of the library.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "linear.h"

typedef void linear_kernel(const struct fg_linear *, int64_t, int64_t, int64_t, int64_t);
typedef void encoder(const float *, int64_t, int64_t, uint8_t *);

int64_t fg_processor(void);
encoder fg_int8_encode_avx2, fg_int8_encode_avxvnni, fg_int8_encode_avx512, fg_bf16_encode_avx512;
linear_kernel fg_int8_linear_avx2, fg_int8_linear_avxvnni, fg_int8_linear_avx512, fg_int8_linear_amx;
linear_kernel fg_bf16_linear_avx512, fg_bf16_linear_amx;

typedef void codes_kernel(const struct fg_codes *, const float *, float *, int64_t, int64_t);
codes_kernel fg_codes_token_avx2, fg_codes_token_avx512, fg_codes24_token_avx512;

struct kind {
  const char *name;
  int64_t needs;  // bits of fg_processor
  int lanes, bf16, saturates;
  encoder *encode;
  linear_kernel *linear;
};

static const struct kind KINDS[] = {
    {"int8 avx2", 1, 8, 0, 1, fg_int8_encode_avx2, fg_int8_linear_avx2},
    {"int8 avxvnni", 2, 8, 0, 0, fg_int8_encode_avxvnni, fg_int8_linear_avxvnni},
    {"int8 avx512", 4, 16, 0, 0, fg_int8_encode_avx512, fg_int8_linear_avx512},
    {"int8 amx, emulated", 4, 16, 0, 0, fg_int8_encode_avx512, fg_int8_linear_amx},
    {"bf16 avx512", 8, 16, 1, 0, fg_bf16_encode_avx512, fg_bf16_linear_avx512},
    {"bf16 amx, emulated", 8, 16, 1, 0, fg_bf16_encode_avx512, fg_bf16_linear_amx},
};

static int failures;
static uint64_t seed = 7;

static uint32_t next(void) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(seed >> 33);
}

static float uniform(void) { return (float)(next() % 20001) / 10000 - 1; }

static void *memory(size_t bytes) {
  void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
  memset(p, 0x5a, (bytes + 127) / 64 * 64);
  return p;
}

static uint16_t bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float f32(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// Moves what could saturate beside the row of weights, byte by byte; returns the number of entries.
static int32_t take(uint8_t *row, int64_t row_bytes, int32_t *groups, int32_t *bytes) {
  int32_t count = 0;
  for (int64_t pair = 0; pair < row_bytes / 2; pair++) {
    // pairs 0 and 2 of eight bytes meet, and 1 and 3
    if (pair % 4 > 1) continue;
    int positive = 0, negative = 0;
    for (int i = 0; i < 4; i++) {
      int64_t k = 2 * pair + (i & 1) + (i & 2) * 2;
      int weight = (int8_t)row[k], kept = weight;
      if (positive + kept > 128) kept = 128 - positive;
      if (negative + kept < -128) kept = -128 - negative;
      positive += kept > 0 ? kept : 0;
      negative += kept < 0 ? kept : 0;
      row[k] = (uint8_t)kept;
      if (kept == weight) continue;
      groups[count] = (int32_t)(k / 4);
      bytes[count++] = (int32_t)((uint32_t)(uint8_t)(weight - kept) << k % 4 * 8);
    }
  }
  return count;
}

// One layer of one panel by a kernel, against the codes that it made of the panel.
static void check(const struct kind *kind, int64_t width, int64_t columns, int64_t rows, int with) {
  int64_t each = kind->bf16 ? 32 : 64;
  int64_t padded = (columns + each - 1) / each * each;
  int64_t row_bytes = kind->bf16 ? 2 * padded : padded;
  int64_t token_bytes = kind->bf16 ? row_bytes : row_bytes + 8;
  float *x = memory(4 * columns * width), *y = memory(4 * rows * width), *added = memory(4 * rows * width);
  uint8_t *codes = memory(token_bytes * width), *w = memory(row_bytes * (rows + 31));
  float *scales = memory(4 * rows), *bias = memory(4 * rows);
  int32_t *sums = memory(4 * rows);
  uint8_t *split = memory(row_bytes * (rows + 31));
  int32_t *starts = memory(4 * (rows + 1)), *rest_groups = memory(4 * row_bytes * rows), *rest_bytes = memory(4 * row_bytes * rows);
  for (int64_t i = 0; i < columns * width; i++) x[i] = 3 * uniform();
  for (int64_t i = 0; i < rows * width; i++) added[i] = uniform();
  memset(w, 0, row_bytes * (rows + 31));
  for (int64_t o = 0; o < rows; o++) {
    scales[o] = 0.01f * (1 + uniform() / 2);
    bias[o] = uniform();
    sums[o] = 0;
    for (int64_t k = 0; k < columns; k++) {
      if (kind->bf16) {
        uint16_t value = bf16(uniform());
        memcpy(w + o * row_bytes + 2 * k, &value, 2);
      } else {
        w[o * row_bytes + k] = (uint8_t)next();
        sums[o] += (int8_t)w[o * row_bytes + k];
      }
    }
  }
  memcpy(split, w, row_bytes * (rows + 31));
  starts[0] = 0;
  for (int64_t o = 0; o < rows && kind->saturates; o++) {
    starts[o + 1] = starts[o] + take(split + o * row_bytes, row_bytes, rest_groups + starts[o], rest_bytes + starts[o]);
  }
  kind->encode(x, width, columns, codes);
  struct fg_linear l = {codes, y, with ? added : 0, split, scales, sums, with ? bias : 0, rows, row_bytes, token_bytes,
                        (columns * (kind->bf16 ? 2 : 1) + 3) / 4, with ? FG_RELU : FG_NONE,
                        starts, rest_groups, rest_bytes};
  for (int64_t from = 0; from < rows; from += FG_BLOCK) {
    kind->linear(&l, 0, width, from, from + FG_BLOCK < rows ? from + FG_BLOCK : rows);
  }
  const float *token_scales = (const float *)(codes + row_bytes * width);
  const int32_t *zeros = (const int32_t *)(token_scales + width);
  for (int64_t t = 0; t < width; t++) {
    for (int64_t o = 0; o < rows; o++) {
      double sum = 0, size = 0;
      for (int64_t k = 0; k < columns; k++) {
        double product;
        if (kind->bf16) {
          uint16_t a, b;
          memcpy(&a, codes + k / 2 * 4 * width + 4 * t + k % 2 * 2, 2);
          memcpy(&b, w + o * row_bytes + 2 * k, 2);
          if (a != bf16(x[k * width + t])) {
            printf("%s: feature %ld of token %ld is rounded to %g\n", kind->name, (long)k, (long)t, f32(a));
            failures++;
            return;
          }
          product = (double)f32(a) * f32(b);
        } else {
          int code = codes[k / 4 * 4 * width + 4 * t + k % 4] - zeros[t];
          if (fabs(code * token_scales[t] - x[k * width + t]) > 0.502 * token_scales[t]) {
            printf("%s: feature %ld of token %ld has code %d\n", kind->name, (long)k, (long)t, code);
            failures++;
            return;
          }
          product = (double)code * (int8_t)w[o * row_bytes + k];
        }
        sum += product;
        size += fabs(product);
      }
      float expected = (float)sum;
      if (!kind->bf16) expected = expected * (token_scales[t] * scales[o]);
      if (with) {
        expected = expected + bias[o];
        expected = expected + added[o * width + t];
        expected = expected < 0 ? 0 : expected;
      }
      float found = y[o * width + t];
      // integers are exact; sums of bf16 are in another order
      double tolerance = kind->bf16 ? 1e-6 * size + 1e-6 : 0;
      if (!(fabs((double)found - expected) <= tolerance)) {
        printf("%s, %ld tokens, %ld x %ld: output %ld of token %ld is %.9g, expected %.9g\n", kind->name, (long)width,
               (long)rows, (long)columns, (long)o, (long)t, found, expected);
        failures++;
        return;
      }
    }
  }
  free(x), free(y), free(added), free(codes), free(w), free(scales), free(bias), free(sums);
  free(split), free(starts), free(rest_groups), free(rest_bytes);
}

// Weights of 4-bit codes: centroids are looked up bit for bit, so that products with a single input are exact.
static void check_codes(codes_kernel *kernel, int64_t columns, int64_t rows, int64_t rows_per_book) {
  int64_t row_bytes = columns / 2, books = rows_per_book == 0 ? 1 : (rows + rows_per_book - 1) / rows_per_book;
  uint8_t *codes = memory((size_t)(rows * row_bytes));
  float *book = memory((size_t)books * 64), *x = memory((size_t)columns * 4), *y = memory((size_t)rows * 4);
  for (int64_t i = 0; i < rows * row_bytes; i++) codes[i] = (uint8_t)next();
  for (int64_t i = 0; i < 16 * books; i++) book[i] = uniform();
  struct fg_codes w = {codes, book, row_bytes, columns, rows_per_book};
  for (int64_t only = -1; only < columns; only += columns / 7 + 1) {
    for (int64_t i = 0; i < columns; i++) x[i] = only < 0 ? uniform() : i == only;
    for (int64_t o = 0; o < rows; o++) y[o] = only < 0 ? 0.5f : 0;
    int64_t half = rows / 2;
    kernel(&w, x, y, 0, half);
    kernel(&w, x, y, half, rows);
    for (int64_t o = 0; o < rows; o++) {
      double sum = only < 0 ? 0.5 : 0, size = 0;
      for (int64_t i = 0; i < columns; i++) {
        int code = codes[o * row_bytes + i / 2] >> (i % 2 * 4) & 15;
        double product = (double)book[16 * (rows_per_book == 0 ? 0 : o / rows_per_book) + code] * x[i];
        sum += product;
        size += fabs(product);
      }
      if (!(fabs(y[o] - sum) <= (only < 0 ? 1e-6 * size + 1e-7 : 0))) {
        printf("codes, %ld x %ld, %ld rows a book: output %ld is %.9g, expected %.9g\n", (long)rows, (long)columns,
               (long)rows_per_book, (long)o, y[o], sum);
        failures++;
        return;
      }
    }
  }
  free(codes), free(book), free(x), free(y);
}

// 2:4 weights that are codes: position and code of kept weights [rows][2 * groups].
struct kept {
  int64_t rows, columns, groups;
  uint8_t *positions, *codes;
};

// Lays kept weights out as codes24_avx512.c draws it; what lies behind the last group and beside the last row stays as it is.
static void lay_out(const struct kept *w, int64_t pair_bytes, uint8_t *to) {
  for (int64_t o = 0; o < w->rows; o++) {
    for (int64_t i = 0; i < 2 * w->groups; i++) {
      uint8_t *block = to + o / 2 * pair_bytes + i / 64 * 96;
      int64_t lane = i / 2 % 4 * 4 + o % 2 * 2 + i % 2, step = i / 8 % 8;
      uint8_t *code = block + 4 * lane + step / 2, *position = block + 64 + 2 * lane + step / 4;
      int up = (int)(step % 2 * 4), along = (int)(step % 4 * 2);
      *code = (uint8_t)((*code & ~(15 << up)) | w->codes[o * 2 * w->groups + i] << up);
      *position = (uint8_t)((*position & ~(3 << along)) | w->positions[o * 2 * w->groups + i] << along);
    }
  }
}

// The scalar twin: the same products and sums in the same order.
static float twin(const struct kept *w, int64_t o, const float *book, const float *x) {
  float lanes[4][2] = {{0}};
  for (int64_t i = 0; i < 2 * w->groups; i++) {
    int64_t k = i / 2 * 4 + w->positions[o * 2 * w->groups + i];
    float *lane = &lanes[i / 2 % 4][i % 2];
    *lane = fmaf(book[w->codes[o * 2 * w->groups + i]], k < w->columns ? x[k] : 0, *lane);
  }
  float kept[2];
  for (int i = 0; i < 2; i++) kept[i] = (lanes[0][i] + lanes[2][i]) + (lanes[1][i] + lanes[3][i]);
  return kept[0] + kept[1];
}

// Bit for bit as the twin, with inputs and centroids of every kind.
static void check_codes24(codes_kernel *kernel, int64_t columns, int64_t rows, int64_t rows_per_book) {
  static const float ODD[] = {NAN, INFINITY, -INFINITY, 0, -0.0f, 1e-42f, 3e38f};
  int64_t groups = (columns + 3) / 4, pairs = (rows + 1) / 2, pair_bytes = (columns + 127) / 128 * 96;
  int64_t books = rows_per_book == 0 ? 1 : (rows + rows_per_book - 1) / rows_per_book;
  struct kept kept = {rows, columns, groups, memory((size_t)(rows * 2 * groups)), memory((size_t)(rows * 2 * groups))};
  // no byte more than there is, so that a sanitizer sees what is read beyond
  uint8_t *laid = malloc((size_t)(pairs * pair_bytes));
  float *book = malloc((size_t)books * 64), *x = malloc((size_t)columns * 4), *y = malloc((size_t)rows * 4);
  for (int64_t i = 0; i < pairs * pair_bytes; i++) laid[i] = (uint8_t)next();
  for (int64_t i = 0; i < rows * groups; i++) {
    uint8_t first = (uint8_t)(next() % 3), second = (uint8_t)(first + 1 + next() % (3 - first));
    kept.positions[2 * i] = first, kept.positions[2 * i + 1] = second;
    kept.codes[2 * i] = next() & 15, kept.codes[2 * i + 1] = next() & 15;
  }
  lay_out(&kept, pair_bytes, laid);
  struct fg_codes w = {laid, book, pair_bytes, columns, rows_per_book};
  for (int trial = 0; trial < 4; trial++) {
    for (int64_t i = 0; i < 16 * books; i++) book[i] = uniform();
    for (int64_t i = 0; i < columns; i++) x[i] = uniform();
    for (int64_t o = 0; o < rows; o++) y[o] = uniform();
    if (trial == 1) x[next() % columns] = ODD[next() % 3];
    for (int64_t i = 0; trial == 2 && i < columns; i++) x[i] = ODD[3 + next() % 4];
    if (trial == 3) book[next() % (16 * books)] = ODD[next() % 7];
    float *expected = malloc((size_t)rows * 4);
    for (int64_t o = 0; o < rows; o++) {
      expected[o] = y[o] + twin(&kept, o, book + 16 * (rows_per_book == 0 ? 0 : o / rows_per_book), x);
    }
    int64_t half = rows / 4 * 2;
    kernel(&w, x, y, 0, half);
    kernel(&w, x, y, half, rows);
    for (int64_t o = 0; o < rows; o++) {
      if (memcmp(&y[o], &expected[o], 4) == 0 || (isnan(y[o]) && isnan(expected[o]))) continue;
      printf("codes24, %ld x %ld, %ld rows a book, trial %d: output %ld is %.9g, expected %.9g\n", (long)rows,
             (long)columns, (long)rows_per_book, trial, (long)o, y[o], expected[o]);
      failures++;
      break;
    }
    free(expected);
  }
  free(kept.positions), free(kept.codes), free(laid), free(book), free(x), free(y);
}

int main(void) {
  int64_t processor = fg_processor();
  const int64_t columns[] = {1, 3, 4, 31, 64, 67, 130, 384}, rows[] = {1, 2, 7, 33, 64, 65, 130};
  for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
    const struct kind *kind = &KINDS[i];
    if ((processor & kind->needs) == 0) {
      printf("%s: this processor cannot run it\n", kind->name);
      continue;
    }
    for (int64_t width = kind->lanes / 2; width <= 64; width *= 2) {
      for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
          check(kind, width < kind->lanes ? 1 : width, columns[c], rows[r], (c + r) % 2);
        }
      }
    }
    printf("%s: tested\n", kind->name);
  }
  const struct {
    const char *name;
    int64_t needs;
    codes_kernel *kernel;
  } codes[] = {{"codes avx2", 1, fg_codes_token_avx2}, {"codes avx512", 4, fg_codes_token_avx512}};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    const int64_t widths[] = {2, 62, 64, 66, 130, 384, 4096, 4098, 8320}, books[] = {0, 1, 3};
    if ((processor & codes[i].needs) == 0) {
      printf("%s: this processor cannot run it\n", codes[i].name);
      continue;
    }
    for (size_t c = 0; c < sizeof widths / sizeof *widths; c++) {
      for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        check_codes(codes[i].kernel, widths[c], rows[r], books[(c + r) % 3]);
      }
    }
    printf("%s: tested\n", codes[i].name);
  }
  if ((processor & 4) == 0) {
    printf("codes24 avx512: this processor cannot run it\n");
  } else {
    const int64_t widths[] = {1, 2, 4, 5, 15, 16, 17, 63, 126, 127, 128, 129, 140, 384, 4099}, books[] = {0, 1, 2, 3};
    const int64_t outputs[] = {1, 2, 3, 7, 8, 9, 17, 33, 64, 65};
    for (size_t c = 0; c < sizeof widths / sizeof *widths; c++) {
      for (size_t r = 0; r < sizeof outputs / sizeof *outputs; r++) {
        for (size_t b = 0; b < sizeof books / sizeof *books; b++) {
          check_codes24(fg_codes24_token_avx512, widths[c], outputs[r], books[b]);
        }
      }
    }
    printf("codes24 avx512: tested\n");
  }
  return failures == 0 ? 0 : 1;
}
