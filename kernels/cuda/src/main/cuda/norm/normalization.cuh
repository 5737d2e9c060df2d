// Normalisation of rows: LayerNorm and RMSNorm, with the residual that comes before them.
//
//   columns   0      8      16           8*THREADS
//   thread    0      1      2    ...     0      1  ...      one 16-byte access each, neighbours side by side
//             |---- pass 0 --------------|---- pass 1 ----
//
// The first held passes stay in registers; a longer row is read again, from the cache it was just read into.
#pragma once

#include "common/element.cuh"
#include "common/group.cuh"

// Row of `columns` elements as its group of threads sees it.
template <typename T, int THREADS, int HELD, typename Load>
struct HeldRow {
  static constexpr int span = THREADS * perAccess<T>;

  int first;
  int columns;
  const Load& load;
  float held[HELD][perAccess<T>];

  __device__ HeldRow(int columns, const Load& load)
      : first(threadIdx.x % THREADS * perAccess<T>), columns(columns), load(load) {
#pragma unroll
    for (int pass = 0; pass < HELD; pass++) {
      if (first + pass * span < columns) {
        load(first + pass * span, held[pass]);
      }
    }
  }

  // Calls body(column, values) for each of the thread's accesses, reading them again: a small loop for what is done once.
  template <typename Body>
  __device__ void forEachReread(const Body& body) const {
#pragma unroll 1
    for (int column = first; column < columns; column += span) {
      float values[perAccess<T>];
      load(column, values);
      body(column, values);
    }
  }

  // Calls body(column, value) for each of the thread's elements that exist.
  template <typename Body>
  __device__ void forEach(const Body& body) const {
    forEachAccess([&](int column, const float(&values)[perAccess<T>]) {
#pragma unroll
      for (int i = 0; i < perAccess<T>; i++) {
        if (column + i < columns) {
          body(column + i, values[i]);
        }
      }
    });
  }

  // Calls body(column, values) for each of the thread's accesses; values beyond the last column mean nothing.
  template <typename Body>
  __device__ void forEachAccess(const Body& body) const {
#pragma unroll
    for (int pass = 0; pass < HELD; pass++) {
      if (first + pass * span < columns) {
        body(first + pass * span, held[pass]);
      }
    }
#pragma unroll 1
    for (int column = first + HELD * span; column < columns; column += span) {
      float values[perAccess<T>];
      load(column, values);
      body(column, values);
    }
  }
};

// Stores COUNT results of a row, zeros where the row has ended, in accesses of at most 16 bytes.
template <int COUNT, typename T, typename Value>
__device__ void storeResults(T* row, int column, int columns, const Value& value) {
  constexpr int together = COUNT < perAccess<T> ? COUNT : perAccess<T>;
#pragma unroll
  for (int from = 0; from < COUNT; from += together) {
    constexpr int bytes = together * sizeof(T);
    static_assert(bytes == 8 || bytes == 16, "one access");
    alignas(16) T part[together];
#pragma unroll
    for (int i = 0; i < together; i++) {
      part[i] = column + from + i < columns ? fromFloat<T>(value(from + i)) : fromFloat<T>(0);
    }
    T* to = row + column + from;
    if constexpr (bytes == 16) {
      *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(part);
    } else {
      *reinterpret_cast<uint2*>(to) = *reinterpret_cast<const uint2*>(part);
    }
  }
}

// Zeros from the first access of the type T beyond the row to the pitch.
template <typename T, int THREADS, typename Result>
__device__ void zeroPadding(Result* row, int columns, int pitch) {
  // results of a smaller type than the row's are stored in smaller accesses
  constexpr int together = perAccess<T> < perAccess<Result> ? perAccess<T> : perAccess<Result>;
  int covered = ceilDiv(columns, perAccess<T>) * perAccess<T>;
  for (int column = covered + threadIdx.x % THREADS * together; column < pitch; column += THREADS * together) {
    storeResults<together>(row, column, 0, [](int) { return 0.0f; });
  }
}

// Stores eight (or four) results of a row, zeros where the row has ended.
template <typename T, typename Value>
__device__ void storeAccess(T* row, int column, int columns, const Value& value) {
  storeResults<perAccess<T>>(row, column, columns, value);
}

// The same in f32, whose rows may end within an access of the type T.
template <typename T, typename Value>
__device__ void storeExact(float* row, int column, int columns, int pitch, const Value& value) {
#pragma unroll
  for (int from = 0; from < perAccess<T>; from += perAccess<float>) {
    if (column + from < pitch) {
      storeResults<perAccess<float>>(row, column + from, columns, [&](int i) { return value(from + i); });
    }
  }
}

// Results in the form or forms that are wanted: rounded, in f32; the other is null.
template <typename T, typename Result, typename Value>
__device__ void storeForms(Result* y, float* exact, int column, int columns, int pitchExact, const Value& value) {
  if (y != nullptr) {
    storeResults<perAccess<T>>(y, column, columns, value);
  }
  if (exact != nullptr) {
    storeExact<T>(exact, column, columns, pitchExact, value);
  }
}

template <typename T, int THREADS, typename Result>
__device__ void zeroForms(Result* y, float* exact, int columns, int pitchY, int pitchExact) {
  if (y != nullptr) {
    zeroPadding<T, THREADS>(y, columns, pitchY);
  }
  if (exact != nullptr) {
    zeroPadding<T, THREADS>(exact, columns, pitchExact);
  }
}

// Parameters of the features from a column on, or a neutral value if there are none. They are stored padded with zeros
// to whole accesses.
template <int COUNT>
__device__ void loadParameters(const float* from, int column, float neutral, float (&into)[COUNT]) {
  static_assert(COUNT % 4 == 0, "whole 16-byte accesses");
#pragma unroll
  for (int i = 0; i < COUNT; i += 4) {
    float4 values = from == nullptr ? make_float4(neutral, neutral, neutral, neutral)
                                    : *reinterpret_cast<const float4*>(from + column + i);
    into[i] = values.x;
    into[i + 1] = values.y;
    into[i + 2] = values.z;
    into[i + 3] = values.w;
  }
}

// Mean and reciprocal deviation of a held row; CENTRED false takes the mean as 0 (RMSNorm).
template <int THREADS, bool CENTRED, typename Row>
__device__ float2 moments(const Row& row, float epsilon) {
  float mean = 0;
  if constexpr (CENTRED) {
    float sum = 0;
    row.forEach([&](int, float x) { sum += x; });
    mean = Group<THREADS>::template reduce<Sum>(sum) / row.columns;
  }
  float squares = 0;
  row.forEach([&](int, float x) { squares += (x - mean) * (x - mean); });
  squares = Group<THREADS>::template reduce<Sum>(squares);
  return make_float2(mean, 1 / sqrtf(squares / row.columns + epsilon));
}

// y = (row - mean) * inverse * scale + bias; scale and bias may be null. The row's accesses are those of the type T; exact
// is the same without rounding, of the pitch pitchExact, or null, and y may be null beside it.
template <typename T, int THREADS, bool CENTRED, typename Row, typename Result>
__device__ void storeNormalised(const Row& row, float epsilon, const float* scale, const float* bias, Result* y, int pitchY,
                                float* exact = nullptr, int pitchExact = 0) {
  float2 moment = moments<THREADS, CENTRED>(row, epsilon);
  row.forEachAccess([&](int column, const float(&values)[perAccess<T>]) {
    float factors[perAccess<T>];
    float results[perAccess<T>];
    loadParameters(scale, column, 1, factors);
    // minus zero, the neutral element of a sum, keeps the sign of a zero
    loadParameters(bias, column, -0.0f, results);
#pragma unroll
    for (int i = 0; i < perAccess<T>; i++) {
      results[i] = (values[i] - moment.x) * moment.y * factors[i] + results[i];
    }
    storeForms<T>(y, exact, column, row.columns, pitchExact, [&](int i) { return results[i]; });
  });
  zeroForms<T, THREADS>(y, exact, row.columns, pitchY, pitchExact);
}
