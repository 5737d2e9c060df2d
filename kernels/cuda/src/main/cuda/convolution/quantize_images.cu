// Quantisation of images to int8 with a scale for each image, because a window mixes the pixels of one image: x is about
// y * scale. As norm/quantize_tokens.cu otherwise: scale = max |x| / 127, nearest codes with ties to even; an image of
// zeros has scale 0; one with a NaN or an infinity has it as its scale, and codes 0.
#include <cmath>

#include "common/group.cuh"
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

constexpr float largestCode = 127;
// below it 127 / max |x| overflows: such an image counts as zeros
constexpr float smallest = 1e-30f;

} // namespace

// The greatest magnitude of each image, as the bits of an f32, which lie in the order of the numbers, NaN last; 0 before.
extern "C" __global__ void __launch_bounds__(elementwiseThreads)
    image_magnitudes_f16(const __half* x, unsigned* magnitudes, int pixels, int pitchX) {
  KERNEL_FACT("operation quantizeImages");
  KERNEL_FACT("grid images");
  KERNEL_FACT_1("threads", elementwiseThreads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters x:pointer magnitudes:pointer pixels:i32 pitchX:i32");
  const int64_t eights = static_cast<int64_t>(pixels) * (pitchX / perThread);
  const __half* const image = x + static_cast<int64_t>(blockIdx.y) * eights * perThread;
  float greatest = 0;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * elementwiseThreads + threadIdx.x; i < eights;
       i += static_cast<int64_t>(gridDim.x) * elementwiseThreads) {
    const Pack<__half> own = Pack<__half>::load(image + i * perThread);
#pragma unroll
    for (int j = 0; j < perThread; j++) {
      greatest = Max::of(fabsf(toFloat(own.at[j])), greatest);
    }
  }
  greatest = reduceWarp<Max>(greatest);
  if (threadIdx.x % warpLanes == 0) {
    atomicMax(magnitudes + blockIdx.y, __float_as_uint(greatest));
  }
}

// tokenScales: the image's scale once more for each of the outPixels pixels that a convolution makes of it.
extern "C" __global__ void __launch_bounds__(elementwiseThreads)
    quantize_images_f16(const __half* x, const float* magnitudes, int8_t* y, float* tokenScales, int rows, int pixels,
                        int outPixels, int pitchX, int pitchY) {
  KERNEL_FACT("operation quantizeImages");
  KERNEL_FACT("grid eightPerThread");
  KERNEL_FACT_1("threads", elementwiseThreads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters x:pointer magnitudes:pointer y:pointer tokenScales:pointer rows:i32 pixels:i32 outPixels:i32 "
              "pitchX:i32 pitchY:i32");
  const Place place = Place::of(pitchY);
  if (place.row >= rows) {
    return;
  }
  const int64_t image = place.row / pixels;
  const float greatest = magnitudes[image];
  const bool zero = greatest < smallest;
  const float factor = greatest < INFINITY && !zero ? largestCode / greatest : 0;
  const int pixel = static_cast<int>(place.row - image * pixels);
  for (int out = pixel; place.column == 0 && out < outPixels; out += pixels) {
    tokenScales[image * outPixels + out] = zero ? 0 : greatest / largestCode;
  }
  unsigned words[2] = {};
  if (place.column < pitchX && factor > 0) {
    const Pack<__half> own = Pack<__half>::load(x + place.row * pitchX + place.column);
#pragma unroll
    for (int i = 0; i < perThread; i++) {
      words[i / 4] |= (__float2int_rn(toFloat(own.at[i]) * factor) & 0xff) << i % 4 * 8;
    }
  }
  *reinterpret_cast<uint2*>(y + place.row * pitchY + place.column) = make_uint2(words[0], words[1]);
}
