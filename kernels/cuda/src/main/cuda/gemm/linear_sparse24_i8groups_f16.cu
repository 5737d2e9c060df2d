// 2:4 integers of five to eight bits with scales by groups, under f16 activations.
#include "gemm/kernel.cuh"

#define OPERANDS const void *x, const uint4 *w, const uint4 *meta, const uint4 *groups, int stepsPerGroup, const float *scales
#define OPERAND_FACTS "x:pointer w:pointer meta:pointer groups:pointer stepsPerGroup:i32 scales:pointer"
#define SET_OPERANDS(a) \
  (a).x = x, (a).weights.w = w, (a).weights.meta = meta, (a).weights.groups = groups, (a).weights.stepsPerGroup = stepsPerGroup, \
  (a).scales = scales
#define WEIGHTS "sparse24 i8groups"
#define ACTIVATION "f16"

//                  warps out, tokens, k; column tiles, steps, stages, blocks
#define SHAPE(...) filigree::Shape<filigree::SparseByteGroups, __VA_ARGS__>
using Shape128x64 = SHAPE(2, 2, 1, 4, 2, 4, 2);
using Shape64x16 = SHAPE(1, 1, 4, 2, 1, 5, 3);
using Shape64x8 = SHAPE(1, 1, 4, 1, 2, 4, 3);

LINEAR_KERNEL(linear_sparse24_i8groups_f16_128x64, Shape128x64, 17, ANY_TOKENS)
LINEAR_KERNEL(linear_sparse24_i8groups_f16_64x16, Shape64x16, 9, 16)
LINEAR_KERNEL(linear_sparse24_i8groups_f16_64x8, Shape64x8, 1, 8)
