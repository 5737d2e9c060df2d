// What Java and the kernels share: the description of a linear layer that is bound to memory, and how its operands lie
// there. The Java side is dev.filigree.kernels.cpu.LinearDescriptor.
//
// Activations and outputs lie in panels of f32, see dev.filigree.spi.Panels: x[feature][token]. Before a product a
// panel is encoded, rounded and with neighbouring features beside each other, four bytes of each token, so that one
// 32-bit lane holds what a dot-product instruction takes:
//
//   int8   group 0: t0: f0 f1 f2 f3 | t1: f0 f1 f2 f3 | ...    group 1: t0: f4 f5 f6 f7 | ...     u8 codes
//          ... up to a multiple of 64 features, then the scale of every token (f32), then its zero point (i32)
//   bf16   group 0: t0: f0 f1 | t1: f0 f1 | ...                group 1: t0: f2 f3 | ...
//          ... up to a multiple of 32 features
//
// A panel of one token is the same with nothing between the groups: a row. Weights lie row by row, w[output][feature],
// s8 or bf16, each row filled up with zeros to a multiple of 64 bytes, and rows of zeros up to a multiple of 32. One
// lane of activations then meets four consecutive bytes of a row. A tile instruction takes both as they are: 16 rows
// of 64 bytes are its first operand, 16 groups of 16 tokens its second, and 16 outputs of 16 tokens its result.
#ifndef FILIGREE_CPU_LINEAR_H
#define FILIGREE_CPU_LINEAR_H

#include <stdint.h>

#define FG_EXPORT __attribute__((visibility("default")))

// Outputs that are computed between two looks at the clock of Java: LinearKernel.BLOCK.
enum { FG_BLOCK = 64 };

// What is applied to the sums; the ordinals of dev.filigree.kernel.Activation.
enum fg_activation {
  FG_NONE,
  FG_RELU,
  FG_GELU,
  FG_GELU_TANH,
  FG_TANH,
  FG_SIGMOID,
  FG_SILU,
  FG_HARD_SWISH
};

struct fg_linear {
  const uint8_t *codes;        // encoded panels
  float *y;                    // panels [tokens, rows]
  const float *residual;       // panels of the same form as y, or null
  const uint8_t *weights;      // [rows][row_bytes]
  const float *scales;         // of the weights, one for each row; int8 only
  const int32_t *sums;         // of each row's weights; int8 only
  const float *bias;           // one for each row, or null
  int64_t rows;
  int64_t row_bytes;           // of a row of weights, and of a token's features: a multiple of 64
  int64_t token_bytes;         // row_bytes, and for int8 scale and zero point beside it
  int64_t groups;              // of four bytes that are no filling
  int64_t activation;
  const int32_t *starts;       // of each row's entries in the next two, one more than rows; int8 by AVX2 only
  const int32_t *rest_groups;  // group of an entry
  const int32_t *rest_bytes;   // its four weights, to be added to those that stand in the row
};

#endif
