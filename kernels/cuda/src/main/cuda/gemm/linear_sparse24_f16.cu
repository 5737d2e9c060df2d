// 2:4 weights in f16: encoders and prefill, where the tensor core limits.
#include "gemm/kernel.cuh"

#define OPERANDS const void *x, const uint4 *w, const uint4 *meta
#define OPERAND_FACTS "x:pointer w:pointer meta:pointer"
#define SET_OPERANDS(a) (a).x = x, (a).weights.w = w, (a).weights.meta = meta
#define WEIGHTS "sparse24 f16"
#define ACTIVATION "f16"

//                  warps out, tokens, k; column tiles, steps, stages, blocks
#define SHAPE(...) filigree::Shape<filigree::Sparse16<filigree::F16>, __VA_ARGS__>
using Shape256x128 = SHAPE(4, 2, 1, 8, 2, 4, 1);
using Shape128x128 = SHAPE(2, 4, 1, 4, 2, 3, 1);
using Shape128x64 = SHAPE(2, 2, 1, 4, 2, 4, 2);
using Shape64x64 = SHAPE(1, 4, 1, 2, 2, 4, 3);
using Shape64x16 = SHAPE(1, 1, 4, 2, 1, 4, 2);
using Shape64x8 = SHAPE(1, 1, 4, 1, 1, 6, 2);

LINEAR_KERNEL(linear_sparse24_f16_256x128, Shape256x128, 129, ANY_TOKENS)
LINEAR_KERNEL(linear_sparse24_f16_128x128, Shape128x128, 65, ANY_TOKENS)
LINEAR_KERNEL(linear_sparse24_f16_128x64, Shape128x64, 33, ANY_TOKENS)
LINEAR_KERNEL(linear_sparse24_f16_64x64, Shape64x64, 17, ANY_TOKENS)
LINEAR_KERNEL(linear_sparse24_f16_64x16, Shape64x16, 9, 16)
LINEAR_KERNEL(linear_sparse24_f16_64x8, Shape64x8, 1, 8)
