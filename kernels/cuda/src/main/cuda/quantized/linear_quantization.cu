// QuantizeLinear, DequantizeLinear and the parameters of DynamicQuantizeLinear: x = (code - zero point) * scale, with one scale
// or one for each index of an axis. Rows are those of the last axis; the scale of an element is
//
//   the last axis   that of its column                                      alongColumns = 1
//   another one     that of row / rowsPerLine % lines                       rowsPerLine: rows under one index of the axis
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

struct Scales {
  const float* scales;
  const int* zeros;  // null without zero points
  int lines;
  int rowsPerLine;
  bool alongColumns;

  __device__ int line(int64_t row, int column) const {
    return lines == 1 ? 0 : alongColumns ? column : static_cast<int>(row / rowsPerLine % lines);
  }
  __device__ int zero(int line) const { return zeros == nullptr ? 0 : __ldg(zeros + line); }
};

constexpr int levels = 255;  // of eight bits, above the least

// least is -128 or 0, and what a NaN becomes; in dynamic quantisation it becomes the code of 0.
__device__ uint8_t code(float x, float scale, int zero, int least, int dynamic) {
  const float quotient = rintf(__fdiv_rn(x, scale));
  if (quotient != quotient) {
    return static_cast<uint8_t>(dynamic != 0 ? zero : least);
  }
  constexpr float beyond = 65536;  // any zero point added to it stays beyond all codes
  const int level = static_cast<int>(fmaxf(-beyond, fminf(beyond, quotient))) + zero;
  return static_cast<uint8_t>(max(least, min(least + levels, level)));
}

template <typename T>
__device__ void quantize(const T* x, uint8_t* y, const Scales& parameters, int rows, int columns, int pitchX, int pitchY,
                         int least, int dynamic) {
  const Place place = Place::of(pitchY);
  if (place.row >= rows) {
    return;
  }
  alignas(16) T values[perThread];
  loadRow(x + place.row * pitchX, 1, place.column, columns, values);
  alignas(16) uint8_t codes[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    const int line = parameters.line(place.row, min(place.column + i, columns - 1));
    codes[i] = code(toFloat(values[i]), __ldg(parameters.scales + line), parameters.zero(line), least, dynamic);
  }
  storeRow(y + place.row * pitchY, place.column, columns, pitchY, codes);
}

// The product in double precision is exact, so that it is rounded once.
template <typename From>
__device__ float value(From code, int zero, float scale) {
  return static_cast<float>(static_cast<double>(static_cast<int64_t>(code) - zero) * scale);
}

template <typename To, typename From>
__device__ void dequantize(const From (&codes)[perThread], To* y, const Scales& parameters, const Place& place, int columns,
                           int pitchY) {
  alignas(16) To values[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    const int line = parameters.line(place.row, min(place.column + i, columns - 1));
    values[i] = fromFloat<To>(value(codes[i], parameters.zero(line), __ldg(parameters.scales + line)));
  }
  storeRow(y + place.row * pitchY, place.column, columns, pitchY, values);
}

template <typename From>
__device__ void dequantize(const From* x, void* y, const Scales& parameters, int rows, int columns, int pitchX, int pitchY,
                           int exact) {
  const Place place = Place::of(pitchY);
  if (place.row >= rows) {
    return;
  }
  alignas(16) From codes[perThread];
  loadRow(x + place.row * pitchX, 1, place.column, columns, codes);
  if (exact != 0) {
    dequantize(codes, static_cast<float*>(y), parameters, place, columns, pitchY);
  } else {
    dequantize(codes, static_cast<__half*>(y), parameters, place, columns, pitchY);
  }
}

}  // namespace

#define QUANTIZE(NAME, T)                                                                                               \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads)                                                      \
      NAME(const T* x, uint8_t* y, const float* scales, const int* zeros, int lines, int rowsPerLine, int alongColumns, \
           int rows, int columns, int pitchX, int pitchY, int least, int dynamic) {                                     \
    KERNEL_FACT("operation linearQuantization");                                                                        \
    KERNEL_FACT("grid eightPerThread");                                                                                 \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                       \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                    \
    KERNEL_FACT("parameters x:pointer y:pointer scales:pointer zeros:pointer lines:i32 rowsPerLine:i32 "                \
                "alongColumns:i32 rows:i32 columns:i32 pitchX:i32 pitchY:i32 least:i32 dynamic:i32");                   \
    quantize(x, y, {scales, zeros, lines, rowsPerLine, alongColumns != 0}, rows, columns, pitchX, pitchY, least,        \
             dynamic);                                                                                                  \
  }

QUANTIZE(quantize_linear_f16, __half)
QUANTIZE(quantize_linear_f32, float)

#define DEQUANTIZE(NAME, FROM)                                                                                          \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads)                                                      \
      NAME(const FROM* x, void* y, const float* scales, const int* zeros, int lines, int rowsPerLine, int alongColumns, \
           int rows, int columns, int pitchX, int pitchY, int exact) {                                                  \
    KERNEL_FACT("operation linearQuantization");                                                                        \
    KERNEL_FACT("grid eightPerThread");                                                                                 \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                       \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                    \
    KERNEL_FACT("parameters x:pointer y:pointer scales:pointer zeros:pointer lines:i32 rowsPerLine:i32 "                \
                "alongColumns:i32 rows:i32 columns:i32 pitchX:i32 pitchY:i32 exact:i32");                               \
    dequantize(x, y, {scales, zeros, lines, rowsPerLine, alongColumns != 0}, rows, columns, pitchX, pitchY, exact);     \
  }

DEQUANTIZE(dequantize_linear_i8, int8_t)
DEQUANTIZE(dequantize_linear_u8, uint8_t)
DEQUANTIZE(dequantize_linear_i32, int32_t)

// Scale and zero point of codes for all numbers between two, and for 0; 1 where there is nothing else.
extern "C" __global__ void __launch_bounds__(elementwiseThreads)
    quantization_range(const float* least, const float* greatest, float* scale, uint8_t* zero) {
  KERNEL_FACT("operation linearQuantization");
  KERNEL_FACT("grid elements");
  KERNEL_FACT_1("threads", elementwiseThreads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters least:pointer greatest:pointer scale:pointer zero:pointer");
  if (blockIdx.x != 0 || threadIdx.x != 0) {
    return;
  }
  // written so that a NaN stays
  const float low = *least > 0 ? 0 : *least;
  const float high = *greatest < 0 ? 0 : *greatest;
  const float range = __fsub_rn(high, low);
  *scale = range == 0 ? 1 : __fdiv_rn(range, levels);
  const float level = rintf(__fdiv_rn(-low, *scale));
  *zero = static_cast<uint8_t>(level != level ? 0 : fmaxf(0, fminf(levels, level)));
}
