// Images at other extents, [batch][height][width][channels] with the channels at a pitch: every element of the result is a
// weighted sum of those elements of the image that the taps of its row and of its column name, so that nearest, linear and
// cubic interpolation are one kernel. Tables, of outHeight or outWidth entries with as many taps each:
//
//   elements   i32, of the image along the axis; the first tap is -1 where the place lies outside
//   weights    f32
//
// A thread takes eight channels of one place, so every access is 16 bytes.
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

struct Taps {
  const int* elements;
  const float* weights;
  int count;
};

template <typename T>
__device__ void resize(const T* x, T* y, Taps down, Taps across, int tokens, int height, int width, int outHeight, int outWidth,
                       int channels, float outside, int pitchX, int pitchY) {
  const Place place = Place::of(pitchY);
  if (place.row >= tokens) {
    return;
  }
  const int pixels = outHeight * outWidth;
  const int64_t image = place.row / pixels;
  const int inImage = static_cast<int>(place.row - image * pixels);
  const int* const rows = down.elements + inImage / outWidth * down.count;
  const int* const columns = across.elements + inImage % outWidth * across.count;
  const float* const rowWeights = down.weights + inImage / outWidth * down.count;
  const float* const columnWeights = across.weights + inImage % outWidth * across.count;
  const bool inside = rows[0] >= 0 && columns[0] >= 0;
  float sums[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    sums[i] = inside ? 0 : outside;
  }
  for (int r = 0; inside && place.column < pitchX && r < down.count; r++) {
    for (int c = 0; c < across.count; c++) {
      const int64_t pixel = (image * height + rows[r]) * width + columns[c];
      const float weight = rowWeights[r] * columnWeights[c];
      const Pack<T> own = Pack<T>::load(x + pixel * pitchX + place.column);
#pragma unroll
      for (int i = 0; i < perThread; i++) {
        // a tap without weight is none, whatever lies there
        sums[i] = weight == 0 ? sums[i] : __fmaf_rn(weight, toFloat(own.at[i]), sums[i]);
      }
    }
  }
  Pack<T> results;
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    results.at[i] = fromFloat<T>(place.column + i < channels ? sums[i] : 0);
  }
  results.store(y + place.row * pitchY + place.column);
}

} // namespace

#define RESIZE(NAME, T)                                                                                                \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads)                                                     \
      NAME(const T* x, T* y, const int* rowElements, const float* rowWeights, const int* columnElements,               \
           const float* columnWeights, int rowTaps, int columnTaps, int tokens, int height, int width, int outHeight,  \
           int outWidth, int channels, float outside, int pitchX, int pitchY) {                                        \
    KERNEL_FACT("operation resize");                                                                                   \
    KERNEL_FACT("grid eightPerThread");                                                                                \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                      \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                   \
    KERNEL_FACT("parameters x:pointer y:pointer rowElements:pointer rowWeights:pointer columnElements:pointer "        \
                "columnWeights:pointer rowTaps:i32 columnTaps:i32 tokens:i32 height:i32 width:i32 outHeight:i32 "      \
                "outWidth:i32 channels:i32 outside:f32 pitchX:i32 pitchY:i32");                                        \
    resize<T>(x, y, {rowElements, rowWeights, rowTaps}, {columnElements, columnWeights, columnTaps}, tokens, height,   \
              width, outHeight, outWidth, channels, outside, pitchX, pitchY);                                          \
  }

RESIZE(resize_f16, __half)
RESIZE(resize_bf16, __nv_bfloat16)
