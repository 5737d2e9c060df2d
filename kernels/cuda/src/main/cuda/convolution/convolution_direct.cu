// Convolutions whose groups are too narrow for tensor cores, and transposed ones: sums of products in f32, without sharing.
//
//   x    [batch][height][width][pitchX]        NHWC in f16, channels at a pitch, zeros behind the last
//   w    [taps][inputs of a group][pitchW]     f16, the outputs innermost: a thread's eight lie together
//   y    [batch][outHeight][outWidth][pitchY]
//
// A thread takes eight outputs of one pixel, so weights, residual and result are accessed 16 bytes at a time; of a depthwise
// convolution the image too.
#include "common/walk.cuh"
#include "facts.cuh"
#include "gemm/activation.cuh"

namespace {

struct Geometry {
  int height;
  int width;
  int outHeight;
  int outWidth;
  int windowHeight;
  int windowWidth;
  int strideHeight;
  int strideWidth;
  int padTop;
  int padLeft;
  int dilationHeight;
  int dilationWidth;
};

struct Epilogue {
  const float* bias; // padded to eights, or null
  const __half* residual;
  __half* y;
  int tokens;
  int rows; // outputs
  int pitchY;
  int pitchResidual;
  int activationKind;

  __device__ void store(float (&sums)[perThread], int64_t pixel, int output) const {
    if (bias != nullptr) {
#pragma unroll
      for (int i = 0; i < perThread; i++) {
        sums[i] = __fadd_rn(sums[i], output + i < rows ? __ldg(bias + output + i) : 0.0f);
      }
    }
    if (residual != nullptr) {
      const Pack<__half> own = Pack<__half>::load(residual + pixel * pitchResidual + output);
#pragma unroll
      for (int i = 0; i < perThread; i++) {
        sums[i] = __fadd_rn(sums[i], toFloat(own.at[i]));
      }
    }
    filigree::activate(sums, activationKind);
    Pack<__half> results;
#pragma unroll
    for (int i = 0; i < perThread; i++) {
      results.at[i] = fromFloat<__half>(output + i < rows ? sums[i] : 0);
    }
    results.store(y + pixel * pitchY + output);
  }
};

// Where an element of the window lies in the image along an axis, or -1. Of a transposed convolution the result is the
// axis that windows slide over, and an element of the image is found where a window starts at it.
template <bool TRANSPOSED>
__device__ inline int source(int out, int tap, int stride, int pad, int dilation, int extent) {
  if (!TRANSPOSED) {
    const int at = out * stride - pad + tap * dilation;
    return at < extent ? at : -1;
  }
  const int at = out + pad - tap * dilation;
  return at >= 0 && at % stride == 0 && at / stride < extent ? at / stride : -1;
}

template <bool DEPTHWISE, bool TRANSPOSED>
__device__ void convolve(const __half* x, const __half* w, const Epilogue& epilogue, const Geometry& g, int pitchX, int pitchW,
                         int groupInputs, int groupOutputs) {
  const Place place = Place::of(epilogue.pitchY);
  if (place.row >= epilogue.tokens) {
    return;
  }
  const int pixels = g.outHeight * g.outWidth;
  const int64_t image = place.row / pixels;
  const int inImage = static_cast<int>(place.row - image * pixels);
  const int top = inImage / g.outWidth;
  const int left = inImage % g.outWidth;
  int input[perThread]; // the first of each output's group
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    input[i] = DEPTHWISE ? place.column + i : min(place.column + i, epilogue.rows - 1) / groupOutputs * groupInputs;
  }
  float sums[perThread] = {};
  for (int ky = 0; ky < g.windowHeight; ky++) {
    const int row = source<TRANSPOSED>(top, ky, g.strideHeight, g.padTop, g.dilationHeight, g.height);
    for (int kx = 0; kx < g.windowWidth; kx++) {
      const int column = source<TRANSPOSED>(left, kx, g.strideWidth, g.padLeft, g.dilationWidth, g.width);
      if (row < 0 || column < 0 || place.column >= pitchW) {
        continue;
      }
      const __half* const pixel = x + ((image * g.height + row) * g.width + column) * pitchX;
      const __half* weights = w + static_cast<int64_t>(ky * g.windowWidth + kx) * groupInputs * pitchW + place.column;
      for (int c = 0; c < (DEPTHWISE ? 1 : groupInputs); c++, weights += pitchW) {
        const Pack<__half> eight = Pack<__half>::load(weights);
        Pack<__half> own;
        if (DEPTHWISE) {
          own = Pack<__half>::load(pixel + place.column);
        } else {
#pragma unroll
          for (int i = 0; i < perThread; i++) {
            own.at[i] = pixel[input[i] + c];
          }
        }
#pragma unroll
        for (int i = 0; i < perThread; i++) {
          sums[i] = __fmaf_rn(toFloat(eight.at[i]), toFloat(own.at[i]), sums[i]);
        }
      }
    }
  }
  epilogue.store(sums, place.row, place.column);
}

} // namespace

#define DIRECT(NAME, DEPTHWISE, TRANSPOSED)                                                                            \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads)                                                     \
      NAME(const __half* x, const __half* w, const float* bias, const __half* residual, __half* y, int tokens,         \
           int rows, int pitchX, int pitchW, int pitchY, int pitchResidual, int activationKind, int groupInputs,       \
           int groupOutputs, int height, int width, int outHeight, int outWidth, int windowHeight, int windowWidth,    \
           int strideHeight, int strideWidth, int padTop, int padLeft, int dilationHeight, int dilationWidth) {        \
    KERNEL_FACT("operation convolutionDirect");                                                                        \
    KERNEL_FACT("grid eightPerThread");                                                                                \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                      \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                   \
    KERNEL_FACT("parameters x:pointer w:pointer bias:pointer residual:pointer y:pointer tokens:i32 rows:i32 "          \
                "pitchX:i32 pitchW:i32 pitchY:i32 pitchResidual:i32 activationKind:i32 groupInputs:i32 "               \
                "groupOutputs:i32 height:i32 width:i32 outHeight:i32 outWidth:i32 windowHeight:i32 windowWidth:i32 "   \
                "strideHeight:i32 strideWidth:i32 padTop:i32 padLeft:i32 dilationHeight:i32 dilationWidth:i32");       \
    convolve<DEPTHWISE, TRANSPOSED>(x, w, {bias, residual, y, tokens, rows, pitchY, pitchResidual, activationKind},    \
                                    {height, width, outHeight, outWidth, windowHeight, windowWidth, strideHeight,      \
                                     strideWidth, padTop, padLeft, dilationHeight, dilationWidth},                     \
                                    pitchX, pitchW, groupInputs, groupOutputs);                                        \
  }

DIRECT(convolution_depthwise_f16, true, false)
DIRECT(convolution_direct_f16, false, false)
DIRECT(convolution_transposed_f16, false, true)
