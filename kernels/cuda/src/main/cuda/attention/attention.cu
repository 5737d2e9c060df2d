// Attention of an encoder: y = softmax(q k^T * scale + mask) v, for each head, without storing the scores
// (T. Dao and others: FlashAttention, 2022; M. Milakov, N. Gimelshein: Online normalizer calculation for softmax, 2018).
//
// A block takes 64 queries of one head, a warp 16 of them, and walks over the keys in tiles of 64:
//
//            keys ->   tile 0    tile 1    tile 2                  shared memory, two stages of
//   queries  warp 0  [ 16 x 64 ][  ...   ][  ...  ]                k [64 keys][WIDTH]
//      |     warp 1  [         ]                                   v [64 keys][WIDTH]
//      v     warp 2  [         ]                                   stage 1 of k first holds q [64 queries][WIDTH]
//            warp 3  [         ]
//
// A row of WIDTH elements is kept in chunks of 16 bytes. The chunk's place is XORed with the row so that the eight rows
// of a matrix that ldmatrix reads lie in eight different groups of four banks:
//
//   WIDTH 64, 128 (whole 128-byte lines a row)       WIDTH 32, 96 (a line holds the ends of two rows)
//   row 0   c0 c1 c2 c3 c4 c5 c6 c7                  row 0, 1   c0 c1 c2 c3 | c0 c1 c2 c3
//   row 1   c1 c0 c3 c2 c5 c4 c7 c6                  row 2, 3   c1 c0 c3 c2 | c1 c0 c3 c2
//   row 2   c2 c3 c0 c1 ...   place = c ^ row % 8    row 4, 5   ...           place = c ^ row / 2 % 4
#include <cmath>

#include "common/group.cuh"
#include "common/instruction.cuh"
#include "facts.cuh"

namespace {

constexpr int tileRows = 64;      // queries of a block, and keys of a step
constexpr int warps = 4;
constexpr int threads = warps * warpLanes;
constexpr int chunkElements = 8;      // elements of 16 bytes
constexpr int keyGroups = tileRows / 8;
constexpr float log2E = 1.4426950408889634f;

// Operands, in elements. The mask is added to the scores; a step of 0 repeats it along an axis.
template <typename T>
struct Attention {
  const T* q;
  const T* k;
  const T* v;
  const float* mask;
  T* y;
  int heads;
  int width;
  int queries;
  int keys;
  int pitchQ;
  int pitchK;
  int pitchV;
  int pitchY;
  int64_t maskBatch;
  int64_t maskHead;
  int64_t maskQuery;
  int64_t maskKey;
  float scale;
  bool guarded;  // whether a query whose scores are all minus infinity, or one of them NaN, gets 0
};

template <int WIDTH>
__device__ int place(int row, int chunk) {
  static_assert(WIDTH % 32 == 0, "the swizzle permutes groups of four chunks");
  constexpr int rowChunks = WIDTH / chunkElements;
  int swizzle = rowChunks % 8 == 0 ? row % 8 : row / 2 % 4;
  return row * WIDTH + (chunk ^ swizzle) * chunkElements;
}

// Starts to copy 64 rows from `first` on; rows from `rows` on and columns from `width` on become zeros.
template <typename T, int WIDTH>
__device__ void copyTile(T* tile, const T* from, int first, int rows, int width, int pitch) {
  constexpr int rowChunks = WIDTH / chunkElements;
#pragma unroll
  for (int i = threadIdx.x; i < tileRows * rowChunks; i += threads) {
    int row = i / rowChunks;
    int chunk = i % rowChunks;
    bool exists = first + row < rows && chunk * chunkElements < width;
    const T* source = exists ? from + static_cast<int64_t>(first + row) * pitch + chunk * chunkElements : from;
    copyAsync(tile + place<WIDTH>(row, chunk), source, exists);
  }
}

// Sixteen queries of a warp: lane 4g + q has the rows g and g + 8.
template <typename T, int WIDTH>
struct Queries {
  static constexpr int steps = WIDTH / 16;
  static constexpr int columnGroups = WIDTH / 8;

  unsigned query[steps][4];           // fragments of A
  float context[columnGroups][4] = {};
  float max[2] = {-INFINITY, -INFINITY};
  float sum[2] = {};                   // of this lane's keys alone

  __device__ void load(const T* tile, int warp) {
    int lane = threadIdx.x % warpLanes;
    int row = warp * 16 + lane % 16;
#pragma unroll
    for (int step = 0; step < steps; step++) {
      loadMatrices(query[step], tile + place<WIDTH>(row, step * 2 + lane / 16));
    }
  }

  __device__ void scores(float (&score)[keyGroups][4], const T* keys) const {
    int lane = threadIdx.x % warpLanes;
    int key = lane / 16 * 8 + lane % 8;
    int half = lane / 8 % 2;
#pragma unroll
    for (int step = 0; step < steps; step++) {
#pragma unroll
      for (int group = 0; group < keyGroups; group += 2) {
        unsigned b[4];
        loadMatrices(b, keys + place<WIDTH>(group * 8 + key, step * 2 + half));
        multiplyAdd<T>(score[group], query[step], b[0], b[1]);
        multiplyAdd<T>(score[group + 1], query[step], b[2], b[3]);
      }
    }
  }

  // Turns scores into weights relative to the greatest so far, and what was summed before with them.
  __device__ void weigh(float (&score)[keyGroups][4]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float greatest = max[half];
#pragma unroll
      for (int group = 0; group < keyGroups; group++) {
        greatest = fmaxf(greatest, fmaxf(score[group][2 * half], score[group][2 * half + 1]));
      }
      greatest = fmaxf(greatest, __shfl_xor_sync(allLanes, greatest, 1));
      greatest = fmaxf(greatest, __shfl_xor_sync(allLanes, greatest, 2));
      // minus infinity minus itself would be NaN, for keys that another tile may still outweigh
      float base = greatest == -INFINITY ? 0 : greatest;
      float before = exp2Approximate((max[half] - base) * log2E);
      max[half] = greatest;
      float added = 0;
#pragma unroll
      for (int group = 0; group < keyGroups; group++) {
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; i++) {
          score[group][i] = exp2Approximate((score[group][i] - base) * log2E);
          added += score[group][i];
        }
      }
      sum[half] = sum[half] * before + added;
#pragma unroll
      for (int group = 0; group < columnGroups; group++) {
        context[group][2 * half] *= before;
        context[group][2 * half + 1] *= before;
      }
    }
  }

  __device__ void addValues(const float (&weight)[keyGroups][4], const T* values) {
    int lane = threadIdx.x % warpLanes;
#pragma unroll
    for (int step = 0; step < tileRows / 16; step++) {
      const float(&low)[4] = weight[2 * step];
      const float(&high)[4] = weight[2 * step + 1];
      unsigned a[4] = {pair<T>(low[0], low[1]), pair<T>(low[2], low[3]), pair<T>(high[0], high[1]),
                       pair<T>(high[2], high[3])};
#pragma unroll
      for (int group = 0; group < columnGroups; group += 2) {
        unsigned b[4];
        loadTransposed(b, values + place<WIDTH>(step * 16 + lane % 16, group + lane / 16));
        multiplyAdd<T>(context[group], a, b[0], b[1]);
        multiplyAdd<T>(context[group + 1], a, b[2], b[3]);
      }
    }
  }

  // Writes the quotients into the warp's sixteen rows of a tile.
  __device__ void finish(T* tile, int warp, bool guarded) {
    int lane = threadIdx.x % warpLanes;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      sum[half] += __shfl_xor_sync(allLanes, sum[half], 1);
      sum[half] += __shfl_xor_sync(allLanes, sum[half], 2);
      bool none = guarded && (sum[half] == 0 || isnan(sum[half]));
      int row = warp * 16 + half * 8 + lane / 4;
#pragma unroll
      for (int group = 0; group < columnGroups; group++) {
        T* to = tile + place<WIDTH>(row, group) + lane % 4 * 2;
        *reinterpret_cast<unsigned*>(to) =
            none ? 0 : pair<T>(context[group][2 * half] / sum[half], context[group][2 * half + 1] / sum[half]);
      }
    }
  }
};

// score = score * scale + mask; minus infinity beyond the last key.
template <typename T>
__device__ void mask(float (&score)[keyGroups][4], const Attention<T>& call, const float* row, int query, int key) {
  int lane = threadIdx.x % warpLanes;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    // a query beyond the last computes what nobody reads, from a mask that exists
    int64_t asking = min(query + half * 8 + lane / 4, call.queries - 1);
#pragma unroll
    for (int group = 0; group < keyGroups; group++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        int answering = key + group * 8 + lane % 4 * 2 + i;
        float& x = score[group][2 * half + i];
        if (answering >= call.keys) {
          x = -INFINITY;
        } else if (row == nullptr) {
          x *= call.scale;
        } else {
          x = x * call.scale + row[asking * call.maskQuery + answering * call.maskKey];
        }
      }
    }
  }
}

template <typename T, int WIDTH>
__device__ void attend(const Attention<T>& call) {
  extern __shared__ __align__(16) char shared[];
  constexpr int tileElements = tileRows * WIDTH;
  T* keyTiles = reinterpret_cast<T*>(shared);
  T* valueTiles = keyTiles + 2 * tileElements;

  int tiles = ceilDiv(call.queries, tileRows);
  int64_t batch = blockIdx.x / tiles;
  int first = blockIdx.x % tiles * tileRows;
  int head = blockIdx.y;
  int warp = threadIdx.x / warpLanes;
  int64_t column = static_cast<int64_t>(head) * call.width;
  const T* k = call.k + batch * call.keys * call.pitchK + column;
  const T* v = call.v + batch * call.keys * call.pitchV + column;
  const float* maskRow = call.mask == nullptr ? nullptr : call.mask + batch * call.maskBatch + head * call.maskHead;

  copyTile<T, WIDTH>(keyTiles + tileElements, call.q + batch * call.queries * call.pitchQ + column, first, call.queries,
                     call.width, call.pitchQ);
  commitCopies();
  copyTile<T, WIDTH>(keyTiles, k, 0, call.keys, call.width, call.pitchK);
  copyTile<T, WIDTH>(valueTiles, v, 0, call.keys, call.width, call.pitchV);
  commitCopies();
  waitForCopies<1>();
  __syncthreads();
  Queries<T, WIDTH> queries;
  queries.load(keyTiles + tileElements, warp);
  __syncthreads();

  bool asks = first + warp * 16 < call.queries;
  int stage = 0;
  for (int key = 0; key < call.keys; key += tileRows, stage ^= 1) {
    int next = key + tileRows;
    if (next < call.keys) {
      copyTile<T, WIDTH>(keyTiles + (stage ^ 1) * tileElements, k, next, call.keys, call.width, call.pitchK);
      copyTile<T, WIDTH>(valueTiles + (stage ^ 1) * tileElements, v, next, call.keys, call.width, call.pitchV);
    }
    commitCopies();
    waitForCopies<1>();
    __syncthreads();
    if (asks) {
      float score[keyGroups][4] = {};
      queries.scores(score, keyTiles + stage * tileElements);
      mask(score, call, maskRow, first + warp * 16, key);
      queries.weigh(score);
      queries.addValues(score, valueTiles + stage * tileElements);
    }
    __syncthreads();
  }
  waitForCopies<0>();
  // each warp writes rows of its own only
  queries.finish(keyTiles, warp, call.guarded);
  __syncwarp();

  constexpr int rowChunks = WIDTH / chunkElements;
  for (int i = threadIdx.x % warpLanes; i < 16 * rowChunks; i += warpLanes) {
    int row = warp * 16 + i / rowChunks;
    int chunk = i % rowChunks;
    if (first + row < call.queries && chunk * chunkElements < call.width) {
      T* to = call.y + (batch * call.queries + first + row) * call.pitchY + column + chunk * chunkElements;
      Pack<T>::load(keyTiles + place<WIDTH>(row, chunk)).store(to);
    }
  }
  int features = call.heads * call.width;
  if (head == call.heads - 1 && features < call.pitchY) {
    int chunks = (call.pitchY - features) / chunkElements;
    for (int i = threadIdx.x; i < tileRows * chunks; i += threads) {
      if (first + i / chunks < call.queries) {
        Pack<T>::zero().store(call.y + (batch * call.queries + first + i / chunks) * call.pitchY + features +
                              i % chunks * chunkElements);
      }
    }
  }
}

}  // namespace

#define ATTENTION(NAME, T, WIDTH)                                                                                    \
  extern "C" __global__ void __launch_bounds__(threads)                                                             \
      NAME(const T* q, const T* k, const T* v, const float* mask, T* y, int heads, int width, int queries, int keys, \
           int pitchQ, int pitchK, int pitchV, int pitchY, int64_t maskBatch, int64_t maskHead, int64_t maskQuery,   \
           int64_t maskKey, float scale, int guarded) {                                                              \
    KERNEL_FACT("operation attention");                                                                              \
    KERNEL_FACT_3("tile", WIDTH, tileRows, tileRows);                                                                \
    KERNEL_FACT("grid queryTiles");                                                                                  \
    KERNEL_FACT_1("threads", threads);                                                                               \
    KERNEL_FACT_1("sharedBytes", 4 * tileRows * WIDTH * sizeof(T));                                                  \
    KERNEL_FACT("parameters q:pointer k:pointer v:pointer mask:pointer y:pointer heads:i32 width:i32 queries:i32 "   \
                "keys:i32 pitchQ:i32 pitchK:i32 pitchV:i32 pitchY:i32 maskBatch:i64 maskHead:i64 "                   \
                "maskQuery:i64 maskKey:i64 scale:f32 guarded:i32");                                                  \
    attend<T, WIDTH>({q, k, v, mask, y, heads, width, queries, keys, pitchQ, pitchK, pitchV, pitchY, maskBatch,      \
                      maskHead, maskQuery, maskKey, scale, guarded != 0});                                           \
  }

ATTENTION(attention_f16_width32, __half, 32)
ATTENTION(attention_f16_width64, __half, 64)
ATTENTION(attention_f16_width96, __half, 96)
ATTENTION(attention_f16_width128, __half, 128)
ATTENTION(attention_bf16_width32, __nv_bfloat16, 32)
ATTENTION(attention_bf16_width64, __nv_bfloat16, 64)
ATTENTION(attention_bf16_width96, __nv_bfloat16, 96)
ATTENTION(attention_bf16_width128, __nv_bfloat16, 128)
