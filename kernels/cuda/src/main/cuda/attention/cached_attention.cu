// Attention of a piece of a sequence to itself and to everything before it, whose keys and values lie in pages of 64 tokens
// (W. Kwon et al., PagedAttention, 2023), with fewer heads of keys than of queries (J. Ainslie et al., GQA, 2023). What a
// run knows beside its operands is in device memory, so that a captured graph serves every position:
//
//   state:   | i32 start | i32 count | 8 unused | rotation [piece][width] f32 | pages, i64 addresses |
//            start tokens were read before; the piece has count tokens, behind which is filling
//            rotation of token t: cosines of width/2 pairs, then their sines; feature d turns with d + width/2
//   page:    | layer 0: head 0: keys [64][width] f16, values [64][width] f16 | head 1 ... | layer 1 ... |
//
// Two kernels: the first puts the piece's keys and values into the cache, the second attends. Eight lanes share a key, 16
// bytes each and time, so that a row of keys or values is one run of memory; every such group keeps the greatest score and
// the sum of weights of its own keys up to date, and groups are joined at the end (Dao et al., Flash-Decoding, 2023).
#include <cmath>

#include "common/element.cuh"
#include "common/group.cuh"
#include "common/instruction.cuh"
#include "facts.cuh"

namespace {

constexpr int pageTokens = 64;
constexpr int lanesOfKey = 8;
constexpr int perLane = 8; // features of a lane's 16 bytes
constexpr int threads = 128;
constexpr int groups = threads / lanesOfKey;

struct State {
  int start;
  int count;
  const float* rotation;
  const int64_t* pages;

  __device__ State(const void* state, int piece, int width)
      : start(static_cast<const int*>(state)[0]), count(static_cast<const int*>(state)[1]),
        rotation(reinterpret_cast<const float*>(static_cast<const char*>(state) + 16)),
        pages(reinterpret_cast<const int64_t*>(rotation + static_cast<int64_t>(piece) * width)) {}

  __device__ __half* keys(int token, int64_t head, int width) const {
    return reinterpret_cast<__half*>(pages[token / pageTokens]) + (head * 2 * pageTokens + token % pageTokens) * width;
  }
  __device__ __half* values(int token, int64_t head, int width) const {
    return keys(token, head, width) + static_cast<int64_t>(pageTokens) * width;
  }
};

// A head of a token by a warp, normalised by the root of its mean square if there are scales, then turned; into f32.
__device__ inline void turned(float* into, const __half* from, const float* scales, float epsilon, const float* rotation, int width) {
  const int lane = threadIdx.x % warpLanes;
  float square = 0;
  for (int d = lane; d < width; d += warpLanes) {
    square += toFloat(from[d]) * toFloat(from[d]);
  }
  const float factor = scales == nullptr ? 1.0f : 1.0f / sqrtf(reduceWarp<Sum>(square) / width + epsilon);
  const int half = width / 2;
  for (int d = lane; d < half; d += warpLanes) {
    const float first = toFloat(from[d]) * factor * (scales == nullptr ? 1.0f : scales[d]);
    const float second = toFloat(from[d + half]) * factor * (scales == nullptr ? 1.0f : scales[d + half]);
    const float cosine = rotation[d];
    const float sine = rotation[half + d];
    into[d] = first * cosine - second * sine;
    into[d + half] = second * cosine + first * sine;
  }
}

} // namespace

// A warp for each token and head of keys.
extern "C" __global__ void __launch_bounds__(threads)
    remember_keys_f16(const __half* k, const __half* v, const void* state, const float* scales, int piece, int layer,
                      int heads, int width, int pitchK, int pitchV, float epsilon) {
  KERNEL_FACT("operation cachedAttention");
  KERNEL_FACT("grid warpPerRow");
  KERNEL_FACT_1("threads", threads);
  KERNEL_FACT_1("sharedBytes", threads / 32 * 256 * 4);
  KERNEL_FACT("parameters k:pointer v:pointer state:pointer scales:pointer piece:i32 layer:i32 heads:i32 width:i32 "
              "pitchK:i32 pitchV:i32 epsilon:f32");
  extern __shared__ float memory[];
  const State now(state, piece, width);
  const int row = static_cast<int>(blockIdx.x) * (threads / warpLanes) + threadIdx.x / warpLanes;
  const int token = row / heads;
  const int head = row % heads;
  if (token >= now.count) {
    return;
  }
  float* const own = memory + threadIdx.x / warpLanes * 256;
  turned(own, k + static_cast<int64_t>(token) * pitchK + head * width, scales, epsilon, now.rotation + token * width, width);
  __syncwarp();
  const int64_t place = static_cast<int64_t>(layer) * heads + head;
  __half* const keys = now.keys(now.start + token, place, width);
  __half* const values = now.values(now.start + token, place, width);
  const __half* const given = v + static_cast<int64_t>(token) * pitchV + head * width;
  for (int d = threadIdx.x % warpLanes; d < width; d += warpLanes) {
    keys[d] = __float2half_rn(own[d]);
    values[d] = given[d];
  }
}

// A block for each token, along x, and head of queries, along y. A token sees the last ones of a window, itself among them,
// or all if it is 0. Filling receives zeros.
extern "C" __global__ void __launch_bounds__(threads)
    cached_attention_f16(const __half* q, const void* state, const float* scales, __half* y, int piece, int layer, int heads,
                         int keyHeads, int width, int window, int pitchQ, int pitchY, float scale, float epsilon) {
  KERNEL_FACT("operation cachedAttention");
  KERNEL_FACT("grid tokensHeads");
  KERNEL_FACT_1("threads", threads);
  KERNEL_FACT_1("sharedBytes", (256 + groups * (256 + 2)) * 4);
  KERNEL_FACT("parameters q:pointer state:pointer scales:pointer y:pointer piece:i32 layer:i32 heads:i32 keyHeads:i32 "
              "width:i32 window:i32 pitchQ:i32 pitchY:i32 scale:f32 epsilon:f32");
  constexpr int mostAccesses = 4; // of a lane along a head of up to 256 features
  extern __shared__ float memory[];
  float* const query = memory;
  float* const sums = memory + 256; // [groups][width]
  float* const greatest = sums + groups * 256;
  float* const weights = greatest + groups;
  const State now(state, piece, width);
  const int token = blockIdx.x;
  const int head = blockIdx.y;
  __half* const result = y + static_cast<int64_t>(token) * pitchY + head * width;
  if (token >= now.count) {
    for (int d = threadIdx.x; d < width; d += threads) {
      result[d] = __float2half_rn(0);
    }
    return;
  }
  if (threadIdx.x < warpLanes) {
    turned(query, q + static_cast<int64_t>(token) * pitchQ + head * width, scales, epsilon, now.rotation + token * width, width);
  }
  __syncthreads();
  const int group = threadIdx.x / lanesOfKey;
  const int own = threadIdx.x % lanesOfKey * perLane;
  const int64_t place = static_cast<int64_t>(layer) * keyHeads + head / (heads / keyHeads);
  const int seen = now.start + token + 1;
  const int oldest = window > 0 && seen > window ? seen - window : 0;
  float sum[mostAccesses][perLane] = {};
  float most = -INFINITY;
  float weight = 0;
  // all groups of a warp go round together: they exchange by shuffles
  for (int first = oldest; first < seen; first += groups) {
    const int at = first + group;
    const bool exists = at < seen;
    float score = 0;
    const __half* const key = now.keys(exists ? at : oldest, place, width);
#pragma unroll
    for (int a = 0; a < mostAccesses; a++) {
      const int d = own + a * lanesOfKey * perLane;
      if (exists && d < width) {
        const Pack<__half> pack = Pack<__half>::load(key + d);
#pragma unroll
        for (int i = 0; i < perLane; i++) {
          score = fmaf(toFloat(pack.at[i]), query[d + i], score);
        }
      }
    }
#pragma unroll
    for (int step = lanesOfKey / 2; step > 0; step /= 2) {
      score += __shfl_xor_sync(allLanes, score, step);
    }
    if (!exists) {
      continue;
    }
    score *= scale;
    const float higher = Max::of(score, most);
    const float kept = most == -INFINITY ? 0 : expf(most - higher);
    const float added = expf(score - higher);
    most = higher;
    weight = weight * kept + added;
    const __half* const value = now.values(at, place, width);
#pragma unroll
    for (int a = 0; a < mostAccesses; a++) {
      const int d = own + a * lanesOfKey * perLane;
      if (d < width) {
        const Pack<__half> pack = Pack<__half>::load(value + d);
#pragma unroll
        for (int i = 0; i < perLane; i++) {
          sum[a][i] = fmaf(added, toFloat(pack.at[i]), sum[a][i] * kept);
        }
      }
    }
  }
#pragma unroll
  for (int a = 0; a < mostAccesses; a++) {
    const int d = own + a * lanesOfKey * perLane;
    if (d < width) {
#pragma unroll
      for (int i = 0; i < perLane; i++) {
        sums[group * width + d + i] = sum[a][i];
      }
    }
  }
  if (threadIdx.x % lanesOfKey == 0) {
    greatest[group] = most;
    weights[group] = weight;
  }
  __syncthreads();
  float all = -INFINITY;
  for (int g = 0; g < groups; g++) {
    all = Max::of(greatest[g], all);
  }
  float total = 0;
  for (int g = 0; g < groups; g++) {
    total += greatest[g] == -INFINITY ? 0 : weights[g] * expf(greatest[g] - all);
  }
  for (int d = threadIdx.x; d < width; d += threads) {
    float joined = 0;
    for (int g = 0; g < groups; g++) {
      joined += greatest[g] == -INFINITY ? 0 : sums[g * width + d] * expf(greatest[g] - all);
    }
    result[d] = __float2half_rn(joined / total);
  }
}

// The last token of the piece, of which the run knows the length.
extern "C" __global__ void __launch_bounds__(threads)
    last_token_b16(const uint16_t* x, const void* state, uint16_t* y, int columns, int pitchX, int pitchY) {
  KERNEL_FACT("operation lastToken");
  KERNEL_FACT("grid single");
  KERNEL_FACT_1("threads", threads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters x:pointer state:pointer y:pointer columns:i32 pitchX:i32 pitchY:i32");
  const int last = static_cast<const int*>(state)[1] - 1;
  for (int i = threadIdx.x; i < pitchY; i += threads) {
    y[i] = i < columns ? x[static_cast<int64_t>(last) * pitchX + i] : 0;
  }
}

extern "C" __global__ void __launch_bounds__(threads)
    last_token_b32(const uint32_t* x, const void* state, uint32_t* y, int columns, int pitchX, int pitchY) {
  KERNEL_FACT("operation lastToken");
  KERNEL_FACT("grid single");
  KERNEL_FACT_1("threads", threads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters x:pointer state:pointer y:pointer columns:i32 pitchX:i32 pitchY:i32");
  const int last = static_cast<const int*>(state)[1] - 1;
  for (int i = threadIdx.x; i < pitchY; i += threads) {
    y[i] = i < columns ? x[static_cast<int64_t>(last) * pitchX + i] : 0;
  }
}
