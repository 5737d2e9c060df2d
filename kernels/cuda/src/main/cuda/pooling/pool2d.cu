// Pooling of images, [batch][height][width][channels] with the channels at a pitch: the greatest or the mean of a window.
// A thread takes eight channels of one place of the result, so every access is 16 bytes.
#include <cmath>

#include "common/activation.cuh"
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

struct Window {
  int height;
  int width;
  int strideHeight;
  int strideWidth;
  int padTop;
  int padLeft;
  int dilationHeight;
  int dilationWidth;
};

struct Image {
  int height;
  int width;
};

// AVERAGE divides by the places that exist, or by all of the window if countPadding is not 0.
template <typename T, bool AVERAGE>
__device__ void pool(const T* x, T* y, int batch, Image in, Image out, int channels, Window window, int countPadding,
                     int pitchX, int pitchY) {
  static_assert(perAccess<T> == perThread, "one access for eight channels");
  Place place = Place::of(pitchY);
  if (place.row >= static_cast<int64_t>(batch) * out.height * out.width) {
    return;
  }
  int64_t image = place.row / (out.height * out.width);
  int at = place.row % (out.height * out.width);
  int top = at / out.width * window.strideHeight - window.padTop;
  int left = at % out.width * window.strideWidth - window.padLeft;
  float folded[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    folded[i] = AVERAGE ? 0 : -INFINITY;
  }
  int count = 0;
  for (int h = 0; h < window.height && place.column < channels; h++) {
    int row = top + h * window.dilationHeight;
    for (int w = 0; w < window.width; w++) {
      int column = left + w * window.dilationWidth;
      if (row < 0 || row >= in.height || column < 0 || column >= in.width) {
        continue;
      }
      count++;
      Pack<T> pack = Pack<T>::load(x + ((image * in.height + row) * in.width + column) * pitchX + place.column);
#pragma unroll
      for (int i = 0; i < perThread; i++) {
        float value = toFloat(pack.at[i]);
        folded[i] = AVERAGE ? folded[i] + value : greater(folded[i], value);
      }
    }
  }
  int divisor = countPadding != 0 ? window.height * window.width : count;
  Pack<T> results;
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    float result = AVERAGE ? folded[i] / divisor : folded[i];
    results.at[i] = fromFloat<T>(place.column + i < channels ? result : 0);
  }
  results.store(y + place.row * pitchY + place.column);
}

}  // namespace

#define POOL(NAME, T, AVERAGE)                                                                                       \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads)                                                   \
      NAME(const T* x, T* y, int batch, int height, int width, int outHeight, int outWidth, int channels,            \
           int windowHeight, int windowWidth, int strideHeight, int strideWidth, int padTop, int padLeft,            \
           int dilationHeight, int dilationWidth, int countPadding, int pitchX, int pitchY) {                        \
    KERNEL_FACT("operation pool");                                                                                   \
    KERNEL_FACT("grid eightPerThread");                                                                              \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                    \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters x:pointer y:pointer batch:i32 height:i32 width:i32 outHeight:i32 outWidth:i32 "          \
                "channels:i32 windowHeight:i32 windowWidth:i32 strideHeight:i32 strideWidth:i32 padTop:i32 "         \
                "padLeft:i32 dilationHeight:i32 dilationWidth:i32 countPadding:i32 pitchX:i32 pitchY:i32");          \
    pool<T, AVERAGE>(x, y, batch, {height, width}, {outHeight, outWidth}, channels,                                  \
                     {windowHeight, windowWidth, strideHeight, strideWidth, padTop, padLeft, dilationHeight,         \
                      dilationWidth},                                                                                \
                     countPadding, pitchX, pitchY);                                                                  \
  }

POOL(max_pool_f16, __half, false)
POOL(max_pool_bf16, __nv_bfloat16, false)
POOL(average_pool_f16, __half, true)
POOL(average_pool_bf16, __nv_bfloat16, true)
