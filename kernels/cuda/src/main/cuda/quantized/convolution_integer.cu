// ConvInteger and QLinearConv: sums of (x - zero x) * (w - zero w) over a window, exact, in ONNX's own order
//
//   x [batch][channels][height][width]   w [outputs][channels of a group][window height][window width]
//   y [batch][outputs][out height][out width]                      rows of the last axis at a pitch each
//
// A thread takes eight neighbours of a row of the result, so that a weight is read once for eight products. Padding adds nothing.
#include "facts.cuh"
#include "quantized/sum.cuh"

namespace {

struct Sliding {
  int windowHeight, windowWidth, strideHeight, strideWidth, padTop, padLeft, dilationHeight, dilationWidth;
};

struct Images {
  int channels, height, width, pitch;
};

__device__ void convolve(Codes x, Codes w, const int* zeroX, Lines<int> zeroW, const int* bias, void* y,
                         const Requantization& result, int batch, Images in, Images out, int groups, Sliding window,
                         int pitchW) {
  const Place place = Place::of(out.pitch);
  if (place.row >= static_cast<int64_t>(batch) * out.channels * out.height) {
    return;
  }
  const int plane = static_cast<int>(place.row / out.height);
  const int output = plane % out.channels;
  const int image = plane / out.channels;
  const int top = static_cast<int>(place.row % out.height) * window.strideHeight - window.padTop;
  const int left = place.column * window.strideWidth - window.padLeft;
  const int ofGroup = in.channels / groups;
  const int firstChannel = output / (out.channels / groups) * ofGroup;
  const int zero = zeroX == nullptr ? 0 : __ldg(zeroX);
  const int zeroOfOutput = zeroW.of(output);
  int sum[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    sum[i] = bias == nullptr ? 0 : __ldg(bias + output);
  }
  for (int channel = 0; channel < ofGroup && place.column < out.width; channel++) {
    for (int h = 0; h < window.windowHeight; h++) {
      const int row = top + h * window.dilationHeight;
      if (row < 0 || row >= in.height) {
        continue;
      }
      const int64_t rowX = (static_cast<int64_t>(image * in.channels + firstChannel + channel) * in.height + row) * in.pitch;
      const int64_t rowW = (static_cast<int64_t>(output * ofGroup + channel) * window.windowHeight + h) * pitchW;
      for (int v = 0; v < window.windowWidth; v++) {
        const int weight = w.read(rowW + v) - zeroOfOutput;
#pragma unroll
        for (int i = 0; i < perThread; i++) {
          const int column = left + i * window.strideWidth + v * window.dilationWidth;
          if (column >= 0 && column < in.width) {
            sum[i] += (x.read(rowX + column) - zero) * weight;
          }
        }
      }
    }
  }
  result.store(y, place.row * out.pitch, place.column, out.width, out.pitch, sum, 0, output, 0);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(elementwiseThreads, 3)
    convolution_integer(const uint8_t* x, const uint8_t* w, const int* zeroX, const int* zeroW, int zerosW, const int* bias,
                        void* y, const float* scaleX, const float* scaleW, int scalesW, const float* scaleY, const int* zeroY,
                        int result, int signedX, int signedW, int batch, int channels, int height, int width, int outputs,
                        int outHeight, int outWidth, int groups, int windowHeight, int windowWidth, int strideHeight,
                        int strideWidth, int padTop, int padLeft, int dilationHeight, int dilationWidth, int pitchX, int pitchW,
                        int pitchY) {
  KERNEL_FACT("operation convolutionInteger");
  KERNEL_FACT("grid eightPerThread");
  KERNEL_FACT_1("threads", elementwiseThreads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters x:pointer w:pointer zeroX:pointer zeroW:pointer zerosW:i32 bias:pointer y:pointer scaleX:pointer "
              "scaleW:pointer scalesW:i32 scaleY:pointer zeroY:pointer result:i32 signedX:i32 signedW:i32 batch:i32 "
              "channels:i32 height:i32 width:i32 outputs:i32 outHeight:i32 outWidth:i32 groups:i32 windowHeight:i32 "
              "windowWidth:i32 strideHeight:i32 strideWidth:i32 padTop:i32 padLeft:i32 dilationHeight:i32 dilationWidth:i32 "
              "pitchX:i32 pitchW:i32 pitchY:i32");
  convolve({x, signedX}, {w, signedW}, zeroX, {zeroW, zerosW}, bias, y,
           {{scaleX, 1}, {scaleW, scalesW}, scaleY, zeroY, result}, batch, {channels, height, width, pitchX},
           {outputs, outHeight, outWidth, pitchY}, groups,
           {windowHeight, windowWidth, strideHeight, strideWidth, padTop, padLeft, dilationHeight, dilationWidth}, pitchW);
}
