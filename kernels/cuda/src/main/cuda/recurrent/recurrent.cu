// Recurrent layers over whole sequences in one launch: RNN, GRU and LSTM in ONNX's order of gates.
//
//   x [steps][batch][input]   w [directions][gates * hidden][input]   r [directions][gates * hidden][hidden]
//   y [steps][directions][batch][hidden]   states [directions][batch][hidden]    rows of the last axis at a pitch each
//   with the batch first: x [batch][steps][input]   y [batch][steps][directions][hidden]   states [batch][directions][hidden]
//   bias [directions][2 * gates * hidden]   peepholes [directions][3 * hidden]   activations [directions][3][4], see there
//
// A block has a sequence and a direction, along x the sequences, along y the directions: its state stays in shared memory from
// step to step. A warp takes a row of W and R at a time, its lanes neighbours of K, so that weights are read in whole lines from
// the second-level cache. Sums and states are f32.
//
//   shared: | x: input | h: hidden | c, or r * h: hidden | gates: gates * hidden | R h of the GRU's candidate: hidden |
//           x, h and c are followed by zeros up to a multiple of 4
#include "common/activation.cuh"
#include "common/element.cuh"
#include "common/group.cuh"
#include "facts.cuh"
#include "recurrent/activations.cuh"

namespace {

constexpr int threads = 256;
constexpr int warps = threads / 32;

// the most a block may have on every device of compute capability 8; a launch asks for what its layer takes
constexpr int sharedFloats = 24 * 1024;

// Neighbours of K that a lane multiplies at a time: 8 bytes of weights, 16 of values without a conflict of banks.
constexpr int perLane = 4;

enum Kind : int { rnn = 0, gru = 1, lstm = 2 };

constexpr int gatesOf(int kind) { return kind == lstm ? 4 : kind == gru ? 3 : 1; }

// The gate whose activation has parameters of its own.
constexpr int candidateOf(int kind) { return kind == lstm ? 3 : 2; }

// Of an LSTM: it sees the new cell.
constexpr int outputGate = 1;

struct Layer {
  const __half* x;
  const __half* w;
  const __half* r;
  const float* bias;       // or null
  const float* peepholes;  // of the gates i, o and f, or null
  const int* lengths;      // of the sequences, or null
  const float4* activations;
  const float* firstH;  // or null
  const float* firstC;  // or null
  __half* y;            // or null
  float* lastH;         // or null
  float* lastC;         // or null
  unsigned long long* fault;
  int steps, batch, input, hidden;
  int pitchX, pitchW, pitchR, pitchBias, pitchPeepholes, pitchY, pitchState;
  int reversed, late, coupled, batchFirst;
  float limit;
};

__device__ inline int padded(int count) { return ceilDiv(count, perLane) * perLane; }

// Both are zero from their ends to a multiple of 4.
__device__ float dot(const __half* row, const float* values, int count) {
  float sum = 0;
  for (int k = static_cast<int>(threadIdx.x) % 32 * perLane; k < count; k += 32 * perLane) {
    const uint2 bits = *reinterpret_cast<const uint2*>(row + k);
    const float2 low = __half22float2(*reinterpret_cast<const __half2*>(&bits.x));
    const float2 high = __half22float2(*reinterpret_cast<const __half2*>(&bits.y));
    const float4 by = *reinterpret_cast<const float4*>(values + k);
    sum = __fmaf_rn(low.x, by.x, sum);
    sum = __fmaf_rn(low.y, by.y, sum);
    sum = __fmaf_rn(high.x, by.z, sum);
    sum = __fmaf_rn(high.y, by.w, sum);
  }
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    sum += __shfl_xor_sync(0xffffffff, sum, step);
  }
  return sum;
}

// Steps of a sequence; one that its input lacks is a fault, and counts as none.
__device__ int lengthOf(const Layer& l, int sequence) {
  if (l.lengths == nullptr) {
    return l.steps;
  }
  const int length = l.lengths[sequence];
  if (length >= 0 && length <= l.steps) {
    return length;
  }
  atomicMin(l.fault, static_cast<unsigned long long>(sequence));
  return 0;
}

// One sequence in one direction.
template <int kind>
struct Cell {
  const Layer& l;
  const int thread, warp, sequence, direction, directions;
  const int rows;
  float* const x;
  float* const h;
  float* const c;
  float* const sums;
  float* const candidate;

  // nvcc 13 takes threadIdx for 0 in initialisers that stand beside the members of an aggregate
  __device__ Cell(const Layer& layer, float* memory)
      : l(layer),
        thread(static_cast<int>(threadIdx.x)),
        warp(thread / 32),
        sequence(static_cast<int>(blockIdx.x)),
        direction(static_cast<int>(blockIdx.y)),
        directions(static_cast<int>(gridDim.y)),
        rows(gatesOf(kind) * layer.hidden),
        x(memory),
        h(x + padded(layer.input)),
        c(h + padded(layer.hidden)),
        sums(c + padded(layer.hidden)),
        candidate(sums + rows) {}

  __device__ float biasOf(int row) const {
    return l.bias == nullptr ? 0 : l.bias[static_cast<int64_t>(direction) * l.pitchBias + row];
  }

  __device__ float peephole(int gate, int i) const {
    return l.peepholes == nullptr
               ? 0
               : l.peepholes[static_cast<int64_t>(direction) * l.pitchPeepholes + gate * l.hidden + i];
  }

  __device__ Function function(int which) const {
    return Function::of(l.activations[direction * 3 + which], l.limit);
  }

  __device__ int64_t stateRow() const {
    return l.batchFirst != 0 ? static_cast<int64_t>(sequence) * directions + direction
                             : static_cast<int64_t>(direction) * l.batch + sequence;
  }

  __device__ void load() {
    const int64_t state = stateRow() * l.pitchState;
#pragma unroll 1
    for (int i = thread; i < padded(l.hidden); i += threads) {
      h[i] = i >= l.hidden || l.firstH == nullptr ? 0 : l.firstH[state + i];
      c[i] = i >= l.hidden || l.firstC == nullptr ? 0 : l.firstC[state + i];
    }
  }

  __device__ void read(int64_t t) {
    const int64_t row = l.batchFirst != 0 ? static_cast<int64_t>(sequence) * l.steps + t : t * l.batch + sequence;
#pragma unroll 1
    for (int i = thread; i < padded(l.input); i += threads) {
      x[i] = i < l.input ? __half2float(l.x[row * l.pitchX + i]) : 0;
    }
    __syncthreads();
  }

  // What every gate adds up; the candidate of a GRU keeps the share of the state apart.
  __device__ void multiply() {
    for (int row = warp; row < rows; row += warps) {
      const int64_t at = static_cast<int64_t>(direction) * rows + row;
      const float ofInput = dot(l.w + at * l.pitchW, x, l.input) + biasOf(row);
      const bool isCandidate = kind == gru && row >= candidateOf(kind) * l.hidden;
      const float ofState =
          isCandidate && l.late == 0 ? 0 : dot(l.r + at * l.pitchR, h, l.hidden) + biasOf(rows + row);
      if (thread % 32 == 0) {
        sums[row] = isCandidate ? ofInput : ofInput + ofState;
        if (isCandidate) {
          candidate[row - candidateOf(kind) * l.hidden] = ofState;
        }
      }
    }
    __syncthreads();
  }

  // Activates the gates that wait for nothing.
  __device__ void activate() {
#pragma unroll 1
    for (int gate = 0; gate < gatesOf(kind); gate++) {
      const bool waits = gate == (kind == gru ? candidateOf(kind) : outputGate);
      if (waits) {
        continue;
      }
      const Function f = function(kind == lstm && gate == candidateOf(kind) ? 1 : 0);
#pragma unroll 1
      for (int i = thread; i < l.hidden; i += threads) {
        const float ofCell = kind == lstm && gate != candidateOf(kind) ? peephole(gate, i) * c[i] : 0;
        sums[gate * l.hidden + i] = f(sums[gate * l.hidden + i] + ofCell);
      }
    }
    __syncthreads();
  }

  // The candidate of a GRU that sees the state through the reset gate.
  __device__ void multiplyReset() {
#pragma unroll 1
    for (int i = thread; i < l.hidden; i += threads) {
      c[i] = sums[l.hidden + i] * h[i];
    }
    __syncthreads();
    for (int row = warp; row < l.hidden; row += warps) {
      const int gateRow = candidateOf(kind) * l.hidden + row;
      const int64_t at = static_cast<int64_t>(direction) * rows + gateRow;
      const float ofState = dot(l.r + at * l.pitchR, c, l.hidden);
      if (thread % 32 == 0) {
        candidate[row] = ofState + biasOf(rows + gateRow);
      }
    }
    __syncthreads();
  }

  __device__ void update() {
    const Function f = function(kind == gru ? 1 : 0);
    const Function ofCell = function(2);
#pragma unroll 1
    for (int i = thread; i < l.hidden; i += threads) {
      if constexpr (kind == rnn) {
        h[i] = f(sums[i]);
      } else if constexpr (kind == gru) {
        const float keep = sums[i];
        const float reset = l.late != 0 ? sums[l.hidden + i] : 1;
        const float next = f(sums[2 * l.hidden + i] + reset * candidate[i]);
        h[i] = (1 - keep) * next + keep * h[i];
      } else {
        const float in = sums[i];
        const float keep = l.coupled != 0 ? 1 - in : sums[2 * l.hidden + i];
        c[i] = keep * c[i] + in * sums[3 * l.hidden + i];
        h[i] = f(sums[l.hidden + i] + peephole(outputGate, i) * c[i]) * ofCell(c[i]);
      }
    }
    __syncthreads();
  }

  // Zeros behind the end of a sequence.
  __device__ void write(int64_t t, bool isInside) {
    if (l.y == nullptr) {
      return;
    }
    const int64_t row = l.batchFirst != 0 ? (static_cast<int64_t>(sequence) * l.steps + t) * directions + direction
                                          : (t * directions + direction) * l.batch + sequence;
#pragma unroll 1
    for (int i = thread; i < l.pitchY; i += threads) {
      l.y[row * l.pitchY + i] = __float2half_rn(isInside && i < l.hidden ? h[i] : 0);
    }
  }

  __device__ void store(float* to, const float* state) const {
    if (to == nullptr) {
      return;
    }
#pragma unroll 1
    for (int i = thread; i < l.pitchState; i += threads) {
      to[stateRow() * l.pitchState + i] = i < l.hidden ? state[i] : 0;
    }
  }

  __device__ void run() {
    const int length = lengthOf(l, sequence);
    const bool backward = l.reversed != 0 || direction == 1;
    load();
    for (int step = 0; step < length; step++) {
      // a sequence that runs backward starts at its own last step
      const int64_t t = backward ? length - 1 - step : step;
      read(t);
      multiply();
      if constexpr (kind != rnn) {
        activate();
      }
      if constexpr (kind == gru) {
        if (l.late == 0) {
          multiplyReset();
        }
      }
      update();
      write(t, true);
    }
    for (int t = length; t < l.steps; t++) {
      write(t, false);
    }
    __syncthreads();
    store(l.lastH, h);
    store(l.lastC, c);
  }
};

}  // namespace

#define RECURRENT(NAME, KIND)                                                                                              \
  extern "C" __global__ void __launch_bounds__(threads, 2) NAME(                                                           \
      const __half* x, const __half* w, const __half* r, const float* bias, const float* peepholes, const int* lengths,    \
      const float4* activations, const float* firstH, const float* firstC, __half* y, float* lastH, float* lastC,          \
      unsigned long long* fault, int steps, int batch, int input, int hidden, int pitchX, int pitchW, int pitchR,          \
      int pitchBias, int pitchPeepholes, int pitchY, int pitchState, int reversed, int late, int coupled, int batchFirst,  \
      float limit) {                                                                                                       \
    KERNEL_FACT("operation recurrent");                                                                                    \
    KERNEL_FACT("grid sequencesDirections");                                                                               \
    KERNEL_FACT_1("threads", threads);                                                                                     \
    KERNEL_FACT_1("sharedBytes", sharedFloats * 4);                                                                        \
    KERNEL_FACT("parameters x:pointer w:pointer r:pointer bias:pointer peepholes:pointer lengths:pointer "                 \
                "activations:pointer firstH:pointer firstC:pointer y:pointer lastH:pointer lastC:pointer fault:pointer "   \
                "steps:i32 batch:i32 input:i32 hidden:i32 pitchX:i32 pitchW:i32 pitchR:i32 pitchBias:i32 "                 \
                "pitchPeepholes:i32 pitchY:i32 pitchState:i32 reversed:i32 late:i32 coupled:i32 batchFirst:i32 limit:f32"); \
    extern __shared__ float4 memory[];                                                                                     \
    const Layer layer{x, w, r, bias, peepholes, lengths, activations, firstH, firstC, y, lastH, lastC, fault,              \
                      steps, batch, input, hidden, pitchX, pitchW, pitchR, pitchBias, pitchPeepholes, pitchY, pitchState,  \
                      reversed, late, coupled, batchFirst, limit};                                                         \
    Cell<KIND>(layer, reinterpret_cast<float*>(memory)).run();                                                             \
  }

RECURRENT(recurrent_rnn, rnn)
RECURRENT(recurrent_gru, gru)
RECURRENT(recurrent_lstm, lstm)
