// What Java and the kernels of stored bytes share: the description of weights of 8 bits as a file has them. The Java side
// is dev.filigree.kernels.cpu.ByteRows.
#ifndef FILIGREE_CPU_BYTES_H
#define FILIGREE_CPU_BYTES_H

#include <stdint.h>

struct fg_bytes {
  const uint8_t *codes;  // [rows][columns], one after the other
  const float *scales;   // one for each row
  const float *zeros;    // zero points, one for each row, or null if all are 0
  int64_t columns;
  int64_t has_sign;      // whether codes are s8, or else u8
};

#endif
