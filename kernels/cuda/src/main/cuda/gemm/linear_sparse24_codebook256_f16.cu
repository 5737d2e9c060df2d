// 2:4 eight-bit codes into codebooks of 256 entries.
#include "gemm/kernel.cuh"

#define OPERANDS const void *x, const uint4 *w, const uint4 *meta, const uint4 *codebook, int booksPerPanel, const float *scales
#define OPERAND_FACTS "x:pointer w:pointer meta:pointer codebook:pointer booksPerPanel:i32 scales:pointer"
#define SET_OPERANDS(a) \
  (a).x = x, (a).weights.w = w, (a).weights.meta = meta, (a).weights.codebook = codebook, (a).weights.booksPerPanel = booksPerPanel, \
  (a).scales = scales
#define WEIGHTS "sparse24 codebook256"
#define ACTIVATION "f16"

//                  warps out, tokens, k; column tiles, steps, stages, blocks
#define SHAPE(...) filigree::Shape<filigree::SparseBooks<filigree::F16>, __VA_ARGS__>
using Shape64x64 = SHAPE(1, 2, 1, 4, 2, 3, 2);
using Shape64x16 = SHAPE(1, 1, 4, 2, 1, 4, 1);
using Shape64x8 = SHAPE(1, 1, 4, 1, 1, 3, 2);

LINEAR_KERNEL(linear_sparse24_codebook256_f16_64x64, Shape64x64, 17, ANY_TOKENS)
LINEAR_KERNEL(linear_sparse24_codebook256_f16_64x16, Shape64x16, 9, 16)
LINEAR_KERNEL(linear_sparse24_codebook256_f16_64x8, Shape64x8, 1, 8)
