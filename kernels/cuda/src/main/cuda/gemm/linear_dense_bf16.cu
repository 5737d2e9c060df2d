// Dense weights in bf16.
#include "gemm/kernel.cuh"

#define OPERANDS const void *x, const uint4 *w
#define OPERAND_FACTS "x:pointer w:pointer"
#define SET_OPERANDS(a) (a).x = x, (a).weights.w = w
#define WEIGHTS "dense bf16"
#define ACTIVATION "bf16"

//                  warps out, tokens, k; column tiles, steps, stages, blocks
#define SHAPE(...) filigree::Shape<filigree::Dense16<filigree::BF16>, __VA_ARGS__>
using Shape128x128 = SHAPE(2, 4, 1, 4, 2, 3, 1);
using Shape64x64 = SHAPE(1, 4, 1, 2, 2, 3, 3);
using Shape64x16 = SHAPE(1, 1, 4, 2, 1, 3, 2);

LINEAR_KERNEL(linear_dense_bf16_128x128, Shape128x128, 65, ANY_TOKENS)
LINEAR_KERNEL(linear_dense_bf16_64x64, Shape64x64, 17, ANY_TOKENS)
LINEAR_KERNEL(linear_dense_bf16_64x16, Shape64x16, 1, 16)
