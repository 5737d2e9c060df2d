// Convolutions with weights 2:4 along the channels, in f16.
#include "convolution/kernel.cuh"

#define OPERANDS const void *x, const uint4 *w, const uint4 *meta
#define OPERAND_FACTS "x:pointer w:pointer meta:pointer"
#define SET_OPERANDS(a) (a).x = x, (a).weights.w = w, (a).weights.meta = meta
#define WEIGHTS "sparse24 f16"
#define ACTIVATION "f16"
#define ANY_PIXELS 2147483647

//                  warps out, tokens, k; column tiles, steps, stages, blocks
#define SHAPE(...) filigree::PatchShape<filigree::Sparse16<filigree::F16>, __VA_ARGS__>
using Shape128x128 = SHAPE(2, 4, 1, 4, 2, 3, 1);
using Shape64x64 = SHAPE(1, 4, 1, 2, 2, 4, 3);
using Shape64x16 = SHAPE(1, 1, 4, 2, 1, 4, 2);

CONVOLUTION_KERNEL(convolution_sparse24_f16_128x128, Shape128x128, 65, ANY_PIXELS)
CONVOLUTION_KERNEL(convolution_sparse24_f16_64x64, Shape64x64, 17, ANY_PIXELS)
CONVOLUTION_KERNEL(convolution_sparse24_f16_64x16, Shape64x16, 1, 64)
