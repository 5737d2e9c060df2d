// Linear layers with unstructured sparse weights: y = activation(x W^T + bias + residual), W in compressed rows.
//
// The columns are cut into chunks of 256, so that a chunk of x fits shared memory and a column is a 16-bit number whatever
// the width of the layer. Eight rows are a group; a segment is what one row keeps in one chunk. CsrWeights.java packs:
//
//   rowOffsets  i32, the first quad of each segment, one more at the end      segment = (group * chunks + chunk) * 8 + row
//   w           quads of four entries, 16 bytes; an entry is                  | column in the chunk : 16 | value : 16 |
//               a segment is filled up to whole quads with value 0 at column 256; a quad of these ends the whole
//
//          chunk 0       chunk 1                      stored
//   row 0  a . b . . .   . c . . . .      segment 0   a b - -      segment 8   c - - -
//   row 1  . . . . d .   . . . . . .      segment 1   d - - -      segment 9   (nothing)
//   ...                                   ...
//
// Many tokens: a block takes 64 outputs and 64 tokens. x lies in shared memory as [column][token], a lane has two tokens,
// a warp the eight rows of a group. Each entry is read by all lanes at once and multiplies 64 neighbours:
//
//   column   token 0,1 | 2,3 | ... | 62,63      32 words, one for each bank
//
// Up to 8 tokens: x lies there as [column][8 tokens], one access of 16 bytes. Four lanes share a row, each takes every
// fourth quad, so a warp streams eight segments at once; the sums of the four meet at the end. Each weight is read once.
#include "common/element.cuh"
#include "common/group.cuh"
#include "facts.cuh"
#include "gemm/activation.cuh"
#include "gemm/wide.cuh"

namespace sparse {

// Called, not inlined: once for each result, and half of the code otherwise.
__device__ __noinline__ inline float activated(float x, int kind) { return filigree::activate(x, kind); }

}  // namespace sparse

namespace {

constexpr int warps = 8;
constexpr int threads = warps * warpLanes;
constexpr int chunkColumns = 256;
constexpr int groupRows = 8;
constexpr int tileOut = warps * groupRows;
constexpr int manyTokens = 64;
constexpr int fewTokens = 8;

template <typename T>
struct Layer {
  const uint4* w;
  const int* rowOffsets;
  const T* x;
  const float* bias;
  const void* residual;
  void* y;
  int tokens;
  int rows;
  int columns;
  int pitchX;
  int pitchY;
  int pitchResidual;
  int activationKind;
  int wide;

  __device__ int chunks() const { return ceilDiv(columns, chunkColumns); }

  // bias, residual and activation of one result; 0 beyond the last row
  __device__ float finished(float sum, int64_t token, int row) const {
    if (row >= rows) {
      return 0;
    }
    sum += bias == nullptr ? 0 : bias[row];
    if (residual != nullptr) {
      int64_t at = token * pitchResidual + row;
      sum += wide & filigree::wideResidual ? static_cast<const float*>(residual)[at]
                                           : toFloat(static_cast<const T*>(residual)[at]);
    }
    return activationKind == filigree::noActivation ? sum : sparse::activated(sum, activationKind);
  }
};

// Stores the results of eight rows of a token.
template <typename T>
__device__ void storeEight(const Layer<T>& layer, int64_t token, int row, const float (&results)[groupRows]) {
  int64_t at = token * layer.pitchY + row;
  if (layer.wide & filigree::wideResult) {
    float* to = static_cast<float*>(layer.y) + at;
#pragma unroll
    for (int i = 0; i < groupRows; i += 4) {
      if (row + i < layer.pitchY) {
        *reinterpret_cast<float4*>(to + i) = make_float4(results[i], results[i + 1], results[i + 2], results[i + 3]);
      }
    }
    return;
  }
  Pack<T> pack;
#pragma unroll
  for (int i = 0; i < groupRows; i++) {
    pack.at[i] = fromFloat<T>(results[i]);
  }
  pack.store(static_cast<T*>(layer.y) + at);
}

template <typename T>
struct Entry {
  int column;
  float value;

  __device__ explicit Entry(unsigned bits) : column(bits >> 16) {
    uint16_t low = bits;
    T typed;
    memcpy(&typed, &low, sizeof typed);
    value = toFloat(typed);
  }
};

// The two neighbours of a word.
template <typename T>
__device__ float2 unpacked(unsigned word) {
  T both[2];
  memcpy(both, &word, sizeof word);
  return make_float2(toFloat(both[0]), toFloat(both[1]));
}

// Loads a chunk of x for 64 tokens, transposed: [column][token]. A lane takes two tokens, so that it writes whole words
// and a warp one column at a time. Tokens and columns that do not exist become zeros.
template <typename T>
__device__ void loadMany(unsigned (*tile)[warpLanes], const Layer<T>& layer, int chunk, int firstToken) {
  int lane = threadIdx.x % warpLanes;
  int token = firstToken + 2 * lane;
  for (int pack = threadIdx.x / warpLanes; pack < chunkColumns / 8; pack += warps) {
    int column = chunk * chunkColumns + pack * 8;
    Pack<uint16_t> both[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      bool exists = column < layer.columns && token + i < layer.tokens;
      const T* from = layer.x + static_cast<int64_t>(token + i) * layer.pitchX + column;
      both[i] = exists ? Pack<uint16_t>::load(reinterpret_cast<const uint16_t*>(from)) : Pack<uint16_t>::zero();
    }
#pragma unroll
    for (int i = 0; i < 8; i++) {
      tile[pack * 8 + i][lane] = both[0].at[i] | static_cast<unsigned>(both[1].at[i]) << 16;
    }
  }
}

template <typename T>
__device__ void multiplyMany(const Layer<T>& layer) {
  // one column more, of zeros, for the entries that fill up
  __shared__ unsigned tile[chunkColumns + 1][warpLanes];
  int lane = threadIdx.x % warpLanes;
  int warp = threadIdx.x / warpLanes;
  int tokenTiles = ceilDiv(layer.tokens, manyTokens);
  int firstToken = blockIdx.x % tokenTiles * manyTokens;
  int group = blockIdx.x / tokenTiles * warps + warp;
  int row = group * groupRows;
  bool works = row < layer.rows;
  if (warp == 0) {
    tile[chunkColumns][lane] = 0;
  }
  float2 sum[groupRows] = {};
  for (int chunk = 0; chunk < layer.chunks(); chunk++) {
    loadMany(tile, layer, chunk, firstToken);
    __syncthreads();
    if (works) {
      const int* offsets = layer.rowOffsets + (static_cast<int64_t>(group) * layer.chunks() + chunk) * groupRows;
      int quad = offsets[0];
      // a quad ahead of its use: the rows of a chunk lie one after the other
      uint4 next = layer.w[quad];
#pragma unroll
      for (int r = 0; r < groupRows; r++) {
        int end = offsets[r + 1];
#pragma unroll 1
        for (; quad < end; quad++) {
          unsigned entries[4] = {next.x, next.y, next.z, next.w};
          next = layer.w[quad + 1];
#pragma unroll
          for (int i = 0; i < 4; i++) {
            Entry<T> entry(entries[i]);
            float2 x = unpacked<T>(tile[entry.column][lane]);
            sum[r].x = fmaf(entry.value, x.x, sum[r].x);
            sum[r].y = fmaf(entry.value, x.y, sum[r].y);
          }
        }
      }
    }
    __syncthreads();
  }
  if (row >= layer.pitchY) {
    return;
  }
#pragma unroll
  for (int i = 0; i < 2; i++) {
    int64_t token = firstToken + 2 * lane + i;
    if (token < layer.tokens) {
      float results[groupRows];
#pragma unroll
      for (int r = 0; r < groupRows; r++) {
        results[r] = layer.finished(i == 0 ? sum[r].x : sum[r].y, token, row + r);
      }
      storeEight(layer, token, row, results);
    }
  }
}

constexpr int stagedChunks = 8;
constexpr int stagedColumns = stagedChunks * chunkColumns;

// Place of a column's eight tokens: after each eight columns one place stays free, which puts the four columns that a
// warp writes at a time into different banks.
__device__ inline int stagedPlace(int column) { return column + column / 8; }

template <typename T>
__device__ void loadFew(T (*tile)[fewTokens], const Layer<T>& layer, int firstColumn, int firstToken) {
  int token = firstToken + threadIdx.x % fewTokens;
  for (int pack = threadIdx.x / fewTokens; pack < stagedColumns / 8; pack += threads / fewTokens) {
    int column = firstColumn + pack * 8;
    if (column < layer.columns) {
      bool exists = token < layer.tokens;
      Pack<T> own = exists ? Pack<T>::load(layer.x + static_cast<int64_t>(token) * layer.pitchX + column) : Pack<T>::zero();
#pragma unroll
      for (int i = 0; i < 8; i++) {
        tile[stagedPlace(pack * 8 + i)][threadIdx.x % fewTokens] = own.at[i];
      }
    }
  }
}

template <typename T>
__device__ void multiplyFew(const Layer<T>& layer) {
  __shared__ __align__(16) T tile[stagedColumns + stagedColumns / 8][fewTokens];
  constexpr int sharers = warpLanes / groupRows;
  int lane = threadIdx.x % warpLanes;
  int warp = threadIdx.x / warpLanes;
  int tokenTiles = ceilDiv(layer.tokens, fewTokens);
  int firstToken = blockIdx.x % tokenTiles * fewTokens;
  int group = blockIdx.x / tokenTiles * warps + warp;
  int row = group * groupRows + lane / sharers;
  bool works = group * groupRows < layer.rows;
  float sum[fewTokens] = {};
  for (int first = 0; first < layer.chunks(); first += stagedChunks) {
    loadFew(tile, layer, first * chunkColumns, firstToken);
    __syncthreads();
    int last = min(first + stagedChunks, layer.chunks());
    for (int chunk = first; works && chunk < last; chunk++) {
      const int* offsets = layer.rowOffsets + (static_cast<int64_t>(group) * layer.chunks() + chunk) * groupRows;
      int end = offsets[lane / sharers + 1];
#pragma unroll 1
      for (int quad = offsets[lane / sharers] + lane % sharers; quad < end; quad += sharers) {
        uint4 bits = layer.w[quad];
        unsigned entries[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
        for (int i = 0; i < 4; i++) {
          Entry<T> entry(entries[i]);
          // an entry that fills up has no column here: zero times an infinity would be NaN
          if (entry.column < chunkColumns) {
            Pack<T> x = Pack<T>::load(tile[stagedPlace((chunk - first) * chunkColumns + entry.column)]);
#pragma unroll
            for (int t = 0; t < fewTokens; t++) {
              sum[t] = fmaf(entry.value, toFloat(x.at[t]), sum[t]);
            }
          }
        }
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int t = 0; t < fewTokens; t++) {
#pragma unroll
    for (int step = 1; step < sharers; step *= 2) {
      sum[t] += __shfl_xor_sync(allLanes, sum[t], step);
    }
    int64_t token = firstToken + t;
    if (lane % sharers == t % sharers && token < layer.tokens && row < layer.pitchY) {
      float result = layer.finished(sum[t], token, row);
      int64_t at = token * layer.pitchY + row;
      if (layer.wide & filigree::wideResult) {
        static_cast<float*>(layer.y)[at] = result;
      } else {
        static_cast<T*>(layer.y)[at] = fromFloat<T>(result);
      }
    }
  }
}

}  // namespace

#define LINEAR_CSR(NAME, T, TYPE, MULTIPLY, TOKENS, FROM, TO)                                                          \
  extern "C" __global__ void __launch_bounds__(threads)                                                               \
      NAME(const uint4* w, const int* rowOffsets, const T* x, const float* bias, const void* residual, void* y,       \
           int tokens, int rows, int columns, int pitchX, int pitchY, int pitchResidual, int activationKind,          \
           int wide) {                                                                                                \
    KERNEL_FACT("operation linear");                                                                                  \
    KERNEL_FACT("weights csr " TYPE);                                                                                 \
    KERNEL_FACT("activation " TYPE);                                                                                  \
    KERNEL_FACT_3("tile", tileOut, TOKENS, chunkColumns);                                                             \
    KERNEL_FACT_2("tokens", FROM, TO);                                                                                \
    KERNEL_FACT("grid outputTiles");                                                                                  \
    KERNEL_FACT_1("threads", threads);                                                                                \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                  \
    KERNEL_FACT("parameters w:pointer rowOffsets:pointer x:pointer bias:pointer residual:pointer y:pointer "          \
                "tokens:i32 rows:i32 columns:i32 pitchX:i32 pitchY:i32 pitchResidual:i32 activationKind:i32 "         \
                "wide:i32");                                                                                          \
    MULTIPLY<T>({w, rowOffsets, x, bias, residual, y, tokens, rows, columns, pitchX, pitchY, pitchResidual,           \
                 activationKind, wide});                                                                              \
  }

LINEAR_CSR(linear_csr_f16_few, __half, "f16", multiplyFew, fewTokens, 1, 16)
LINEAR_CSR(linear_csr_f16, __half, "f16", multiplyMany, manyTokens, 9, INT32_MAX)
LINEAR_CSR(linear_csr_bf16_few, __nv_bfloat16, "bf16", multiplyFew, fewTokens, 1, 16)
LINEAR_CSR(linear_csr_bf16, __nv_bfloat16, "bf16", multiplyMany, manyTokens, 9, INT32_MAX)
