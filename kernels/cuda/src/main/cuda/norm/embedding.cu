// Sum of rows of up to three tables (words, positions, segments) and its LayerNorm: the start of a text encoder.
//
// Token t stands at (t / sequence, t % sequence) of [batch, sequence]; each table's indices have a step along both axes,
// so that positions that repeat for every sequence, or a segment that never changes, are not expanded first. The result is
// given in the tables' type, in f32, or in both.
#include "common/index.cuh"
#include "facts.cuh"
#include "norm/normalization.cuh"

namespace {

constexpr int tableCount = 3;
constexpr int blockThreads = 128;

template <typename T>
struct Table {
  const T* rows;
  int64_t count;
  Indices indices;
};

template <typename T, int HELD, bool NORMALISED>
__device__ void embed(const Table<T> (&tables)[tableCount], const float* scale, const float* bias, T* y, float* exact,
                      int tokens, int sequence, int columns, int pitchTable, int pitchY, int pitchExact, float epsilon,
                      unsigned long long* fault) {
  int64_t token = blockIdx.x * (blockThreads / warpLanes) + threadIdx.x / warpLanes;
  if (token >= tokens) {
    return;
  }
  const T* rows[tableCount];
#pragma unroll
  for (int t = 0; t < tableCount; t++) {
    const Table<T>& table = tables[t];
    rows[t] = nullptr;
    if (table.rows != nullptr) {
      int64_t index = table.indices.get(token / sequence, token % sequence);
      rows[t] = table.rows + checkedRow(index, table.count, fault, token) * pitchTable;
    }
  }
  auto load = [&](int column, float(&values)[perAccess<T>]) {
    Pack<T> first = Pack<T>::load(rows[0] + column);
    Pack<T> second = rows[1] == nullptr ? Pack<T>::zero() : Pack<T>::load(rows[1] + column);
    Pack<T> third = rows[2] == nullptr ? Pack<T>::zero() : Pack<T>::load(rows[2] + column);
#pragma unroll
    for (int i = 0; i < perAccess<T>; i++) {
      values[i] = toFloat(first.at[i]) + toFloat(second.at[i]) + toFloat(third.at[i]);
    }
  };
  T* to = y == nullptr ? y : y + token * pitchY;
  float* exactTo = exact == nullptr ? exact : exact + token * pitchExact;
  if constexpr (NORMALISED) {
    HeldRow<T, warpLanes, HELD, decltype(load)> row(columns, load);
    storeNormalised<T, warpLanes, true>(row, epsilon, scale, bias, to, pitchY, exactTo, pitchExact);
  } else {
    HeldRow<T, warpLanes, 0, decltype(load)> row(columns, load);
    row.forEachReread([&](int column, const float(&values)[perAccess<T>]) {
      storeForms<T>(to, exactTo, column, columns, pitchExact, [&](int i) { return values[i]; });
    });
    zeroForms<T, warpLanes>(to, exactTo, columns, pitchY, pitchExact);
  }
}

}  // namespace

#define EMBEDDING(NAME, OPERATION, T, NORMALISED)                                                                                 \
  extern "C" __global__ void __launch_bounds__(blockThreads)                                                                 \
      NAME(const T* table0, const T* table1, const T* table2, const void* indices0, const void* indices1,              \
           const void* indices2, int64_t rows0, int64_t rows1, int64_t rows2, int64_t batchStep0, int64_t batchStep1,  \
           int64_t batchStep2, int64_t tokenStep0, int64_t tokenStep1, int64_t tokenStep2, int indexBytes,             \
           const float* scale, const float* bias, T* y, float* exact, int tokens, int sequence, int columns,           \
           int pitchTable, int pitchY, int pitchExact, float epsilon, unsigned long long* fault) {                                                     \
    KERNEL_FACT("operation " OPERATION "");                                                                          \
    KERNEL_FACT("grid warpPerRow");                                                                                  \
    KERNEL_FACT_1("threads", blockThreads);                                                                          \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters table0:pointer table1:pointer table2:pointer indices0:pointer indices1:pointer "         \
                "indices2:pointer rows0:i64 rows1:i64 rows2:i64 batchStep0:i64 batchStep1:i64 "                      \
                "batchStep2:i64 tokenStep0:i64 tokenStep1:i64 tokenStep2:i64 indexBytes:i32 "                        \
                "scale:pointer bias:pointer y:pointer exact:pointer tokens:i32 sequence:i32 columns:i32 "                          \
                "pitchTable:i32 pitchY:i32 pitchExact:i32 epsilon:f32 fault:pointer");                                              \
    Table<T> tables[tableCount] = {{table0, rows0, {indices0, indexBytes, batchStep0, tokenStep0}},                       \
                                {table1, rows1, {indices1, indexBytes, batchStep1, tokenStep1}},                       \
                                {table2, rows2, {indices2, indexBytes, batchStep2, tokenStep2}}};                      \
    embed<T, 3, NORMALISED>(tables, scale, bias, y, exact, tokens, sequence, columns, pitchTable, pitchY, pitchExact,  \
                            epsilon, fault);    \
  }

EMBEDDING(embedding_f16, "embedding", __half, false)
EMBEDDING(embedding_normalization_f16, "embeddingNormalization", __half, true)
EMBEDDING(embedding_bf16, "embedding", __nv_bfloat16, false)
EMBEDDING(embedding_normalization_bf16, "embeddingNormalization", __nv_bfloat16, true)
