// What Java and the kernels of stored bytes share: the description of weights of 8 bits as a file has them. The Java side
// is dev.filigree.kernels.cpu.ByteRows.
#ifndef FILIGREE_CPU_BYTES_H
#define FILIGREE_CPU_BYTES_H

#include <stdint.h>

struct fg_bytes {
  const uint8_t *codes;   // [rows][columns], one after the other
  const uint8_t *scales;  // f32, one for each row or one for all, where a file has them
  const uint8_t *zeros;   // zero points, as many, of the type of the codes; or null if all are 0
  int64_t columns;
  int64_t one_scale;      // whether there is one for all
  int64_t has_sign;       // whether codes are s8, or else u8
};

#endif
