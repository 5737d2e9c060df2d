// Recurrent layers over whole sequences in one launch: RNN, GRU and LSTM with their usual activations, in ONNX's order of gates.
//
//   x [steps][batch][input]   w [directions][gates * hidden][input]   r [directions][gates * hidden][hidden]
//   y [steps][directions][batch][hidden]                              rows of the last axis at a pitch each
//
// A block has a sequence and a direction, along x the sequences, along y the directions: its state stays in shared memory from
// step to step. A warp takes a row of W and R at a time, its lanes neighbours of K, so that weights are read in whole lines from
// the second-level cache. Sums and states are f32.
//
//   shared: | x: input | h: hidden | c, or r * h: hidden | sums of the gates: gates * hidden | R h of the GRU's candidate: hidden |
#include "common/activation.cuh"
#include "common/element.cuh"
#include "common/group.cuh"
#include "facts.cuh"

namespace {

constexpr int threads = 256;
constexpr int warps = threads / 32;
constexpr int sharedFloats = 12 * 1024;

enum Kind : int { rnn = 0, gru = 1, lstm = 2 };

struct Layer {
  const __half* x;
  const __half* w;
  const __half* r;
  const float* bias;  // [directions][2][gates * hidden] or null
  int steps, batch, input, hidden, pitchX, pitchW, pitchR;
};

__device__ float dot(const __half* row, const float* values, int count) {
  float sum = 0;
  for (int k = static_cast<int>(threadIdx.x) % 32; k < count; k += 32) {
    sum = __fmaf_rn(__half2float(row[k]), values[k], sum);
  }
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    sum += __shfl_xor_sync(0xffffffff, sum, step);
  }
  return sum;
}

__device__ float biasOf(const Layer& l, int64_t row) { return l.bias == nullptr ? 0 : l.bias[row]; }

template <int kind>
__device__ void run(const Layer& l, const float* firstH, const float* firstC, __half* y, float* lastH, float* lastC, int pitchY,
                    int pitchState, int reversed, int late) {
  constexpr int gates = kind == lstm ? 4 : kind == gru ? 3 : 1;
  extern __shared__ float memory[];
  float* const x = memory;
  float* const h = x + l.input;
  float* const c = h + l.hidden;
  float* const sums = c + l.hidden;
  float* const candidate = sums + gates * l.hidden;
  const int sequence = static_cast<int>(blockIdx.x);
  const int direction = static_cast<int>(blockIdx.y);
  const bool backward = reversed != 0 || direction == 1;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int thread = static_cast<int>(threadIdx.x);
  const int rows = gates * l.hidden;
  const int64_t state = (static_cast<int64_t>(direction) * l.batch + sequence) * pitchState;
  for (int i = thread; i < l.hidden; i += threads) {
    h[i] = firstH == nullptr ? 0 : firstH[state + i];
    c[i] = firstC == nullptr ? 0 : firstC[state + i];
  }
  for (int step = 0; step < l.steps; step++) {
    const int64_t t = backward ? l.steps - 1 - step : step;
    for (int i = thread; i < l.input; i += threads) {
      x[i] = __half2float(l.x[(t * l.batch + sequence) * l.pitchX + i]);
    }
    __syncthreads();
    for (int row = warp; row < rows; row += warps) {
      const int64_t at = static_cast<int64_t>(direction) * rows + row;
      const float ofInput = dot(l.w + at * l.pitchW, x, l.input) + biasOf(l, 2 * direction * rows + row);
      const bool isCandidate = kind == gru && row >= 2 * l.hidden;
      const float ofState =
          isCandidate && late == 0
              ? 0
              : dot(l.r + at * l.pitchR, h, l.hidden) + biasOf(l, (2 * direction + 1) * rows + row);
      if (thread % 32 == 0) {
        sums[row] = isCandidate ? ofInput : ofInput + ofState;
        if (isCandidate) {
          candidate[row - 2 * l.hidden] = ofState;
        }
      }
    }
    __syncthreads();
    if (kind == gru && late == 0) {
      // the candidate sees the state through the reset gate
      for (int i = thread; i < l.hidden; i += threads) {
        c[i] = sigmoid(sums[l.hidden + i]) * h[i];
      }
      __syncthreads();
      for (int row = warp; row < l.hidden; row += warps) {
        const int64_t at = static_cast<int64_t>(direction) * rows + 2 * l.hidden + row;
        const float ofState = dot(l.r + at * l.pitchR, c, l.hidden);
        if (thread % 32 == 0) {
          candidate[row] = ofState + biasOf(l, (2 * direction + 1) * rows + 2 * l.hidden + row);
        }
      }
      __syncthreads();
    }
    for (int i = thread; i < l.hidden; i += threads) {
      if constexpr (kind == rnn) {
        h[i] = tanhf(sums[i]);
      } else if constexpr (kind == gru) {
        const float update = sigmoid(sums[i]);
        const float reset = late != 0 ? sigmoid(sums[l.hidden + i]) : 1;
        const float next = tanhf(sums[2 * l.hidden + i] + reset * candidate[i]);
        h[i] = (1 - update) * next + update * h[i];
      } else {
        c[i] = sigmoid(sums[2 * l.hidden + i]) * c[i] + sigmoid(sums[i]) * tanhf(sums[3 * l.hidden + i]);
        h[i] = sigmoid(sums[l.hidden + i]) * tanhf(c[i]);
      }
    }
    __syncthreads();
    if (y != nullptr) {
      const int64_t at = ((t * static_cast<int>(gridDim.y) + direction) * l.batch + sequence) * pitchY;
      for (int i = thread; i < pitchY; i += threads) {
        y[at + i] = __float2half_rn(i < l.hidden ? h[i] : 0);
      }
    }
  }
  for (int i = thread; i < pitchState; i += threads) {
    if (lastH != nullptr) {
      lastH[state + i] = i < l.hidden ? h[i] : 0;
    }
    if (lastC != nullptr) {
      lastC[state + i] = i < l.hidden ? c[i] : 0;
    }
  }
}

}  // namespace

#define RECURRENT(NAME, KIND)                                                                                             \
  extern "C" __global__ void __launch_bounds__(threads, 2)                                                                 \
      NAME(const __half* x, const __half* w, const __half* r, const float* bias, const float* firstH, const float* firstC, \
           __half* y, float* lastH, float* lastC, int steps, int batch, int input, int hidden, int pitchX, int pitchW,    \
           int pitchR, int pitchY, int pitchState, int reversed, int late) {                                              \
    KERNEL_FACT("operation recurrent");                                                                                   \
    KERNEL_FACT("grid sequencesDirections");                                                                                      \
    KERNEL_FACT_1("threads", threads);                                                                                    \
    KERNEL_FACT_1("sharedBytes", sharedFloats * 4);                                                                       \
    KERNEL_FACT("parameters x:pointer w:pointer r:pointer bias:pointer firstH:pointer firstC:pointer y:pointer "          \
                "lastH:pointer lastC:pointer steps:i32 batch:i32 input:i32 hidden:i32 pitchX:i32 pitchW:i32 pitchR:i32 "  \
                "pitchY:i32 pitchState:i32 reversed:i32 late:i32");                                                       \
    run<KIND>({x, w, r, bias, steps, batch, input, hidden, pitchX, pitchW, pitchR}, firstH, firstC, y, lastH, lastC,      \
              pitchY, pitchState, reversed, late);                                                                        \
  }

RECURRENT(recurrent_rnn, rnn)
RECURRENT(recurrent_gru, gru)
RECURRENT(recurrent_lstm, lstm)
