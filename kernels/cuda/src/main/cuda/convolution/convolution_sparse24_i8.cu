// Convolutions with s8 weights 2:4 along the channels and s8 activations.
#include "convolution/kernel.cuh"

#define OPERANDS const void *x, const uint4 *w, const uint4 *meta, const float *scales, const float *tokenScales
#define OPERAND_FACTS "x:pointer w:pointer meta:pointer scales:pointer tokenScales:pointer"
#define SET_OPERANDS(a) (a).x = x, (a).weights.w = w, (a).weights.meta = meta, (a).scales = scales, (a).tokenScales = tokenScales
#define WEIGHTS "sparse24 i8"
#define ACTIVATION "i8"
#define ANY_PIXELS 2147483647

//                  warps out, tokens, k; column tiles, steps, stages, blocks
#define SHAPE(...) filigree::PatchShape<filigree::Sparse8, __VA_ARGS__>
using Shape128x128 = SHAPE(2, 4, 1, 4, 2, 3, 1);
using Shape64x64 = SHAPE(1, 4, 1, 2, 2, 4, 3);
using Shape64x16 = SHAPE(1, 1, 4, 2, 1, 4, 2);

CONVOLUTION_KERNEL(convolution_sparse24_i8_128x128, Shape128x128, 65, ANY_PIXELS)
CONVOLUTION_KERNEL(convolution_sparse24_i8_64x64, Shape64x64, 17, ANY_PIXELS)
CONVOLUTION_KERNEL(convolution_sparse24_i8_64x16, Shape64x16, 1, 64)
