// What Java and the kernels of codes share: the description of weights that are codes into codebooks of 16 floats. The
// Java side is dev.filigree.kernels.cpu.CodeRows, and that of 2:4 weights PairRows.
#ifndef FILIGREE_CPU_CODES_H
#define FILIGREE_CPU_CODES_H

#include <stdint.h>

struct fg_codes {
  const uint8_t *codes;   // [rows][row_bytes], two to a byte, the first of them in the low bits; of 2:4 weights
                          // [rows / 2][row_bytes] as codes24_avx512.c draws them
  const float *books;     // [books][16]
  int64_t row_bytes;
  int64_t columns;
  int64_t rows_per_book;  // neighbouring rows that share a codebook; 0 if all share one
};

// The codebook of a row.
static inline const float *fg_centroids(const struct fg_codes *w, int64_t row) {
  return w->books + 16 * (w->rows_per_book == 0 ? 0 : row / w->rows_per_book);
}

#endif
