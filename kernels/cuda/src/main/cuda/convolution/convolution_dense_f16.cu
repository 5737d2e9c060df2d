// Convolutions with dense weights in f16.
#include "convolution/kernel.cuh"

#define OPERANDS const void *x, const uint4 *w
#define OPERAND_FACTS "x:pointer w:pointer"
#define SET_OPERANDS(a) (a).x = x, (a).weights.w = w
#define WEIGHTS "dense f16"
#define ACTIVATION "f16"
#define ANY_PIXELS 2147483647

//                  warps out, tokens, k; column tiles, steps, stages, blocks
#define SHAPE(...) filigree::PatchShape<filigree::Dense16<filigree::F16>, __VA_ARGS__>
using Shape128x128 = SHAPE(2, 4, 1, 4, 2, 3, 1);
using Shape64x64 = SHAPE(1, 4, 1, 2, 2, 3, 3);
using Shape64x16 = SHAPE(1, 1, 4, 2, 1, 3, 2);

CONVOLUTION_KERNEL(convolution_dense_f16_128x128, Shape128x128, 65, ANY_PIXELS)
CONVOLUTION_KERNEL(convolution_dense_f16_64x64, Shape64x64, 17, ANY_PIXELS)
CONVOLUTION_KERNEL(convolution_dense_f16_64x16, Shape64x16, 1, 64)
