// Tensors of up to six axes as kernels of single elements see them: rows of the last axis, and five axes over the rows.
//
//   y      [extents.at[0]] ... [extents.at[4]] [columns]     rows lie pitchY apart, one after the other
//   an operand has a step in elements along each axis; 0 repeats it (broadcasting), any other order is a transposition
//
// Fewer axes are filled up with ones in front; more are first merged by the caller where they lie one after the other.
// A thread takes eight neighbours of a row: thread i has row i / groups, group i % groups, whatever the shape.
#pragma once

#include "common/element.cuh"

constexpr int outerAxes = 5;

struct Axes {
  int64_t at[outerAxes];
};

// Offset of a row in an operand.
__device__ inline int64_t rowOffset(uint32_t row, const Axes& extents, const Axes& steps) {
  int64_t offset = 0;
#pragma unroll
  for (int axis = outerAxes - 1; axis >= 0; axis--) {
    uint32_t extent = static_cast<uint32_t>(extents.at[axis]);
    if (extent > 1) {
      offset += row % extent * steps.at[axis];
      row /= extent;
    }
  }
  return offset;
}

constexpr int perThread = 8;
constexpr int elementwiseThreads = 256;

// A row and a first column of it, for this thread.
struct Place {
  int64_t row;
  int column;

  // Places eight elements apart in rows of `width`.
  __device__ static Place of(int width) {
    uint32_t groups = ceilDiv(width, perThread);
    uint64_t i = static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    // a 64-bit division takes several times as long
    uint64_t row = i >> 32 == 0 ? static_cast<uint32_t>(i) / groups : i / groups;
    return {static_cast<int64_t>(row), static_cast<int>(i - row * groups) * perThread};
  }
};

// The elements of a row from a column on, in accesses of 16 bytes if they lie side by side and aligned.
template <typename T>
__device__ inline void loadRow(const T* row, int64_t step, int column, int columns, T (&into)[perThread]) {
  constexpr int bytes = perThread * sizeof(T);
  const T* from = row + column * step;
  bool aligned = reinterpret_cast<uintptr_t>(from) % (bytes < 16 ? bytes : 16) == 0;
  if (step == 1 && aligned && column + perThread <= columns) {
    if constexpr (bytes % 16 == 0) {
#pragma unroll
      for (int i = 0; i < bytes / 16; i++) {
        reinterpret_cast<uint4*>(into)[i] = reinterpret_cast<const uint4*>(from)[i];
      }
    } else {
      *reinterpret_cast<uint2*>(into) = *reinterpret_cast<const uint2*>(from);
    }
  } else {
#pragma unroll
    for (int i = 0; i < perThread; i++) {
      into[i] = column + i < columns ? from[i * step] : T();
    }
  }
}

// The counterpart: elements from `columns` up to `width` become zeros, those from there on are left alone.
template <typename T>
__device__ inline void storeRow(T* row, int column, int columns, int width, const T (&values)[perThread]) {
  constexpr int bytes = perThread * sizeof(T);
  T* to = row + column;
  bool aligned = reinterpret_cast<uintptr_t>(to) % (bytes < 16 ? bytes : 16) == 0;
  alignas(16) T kept[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    kept[i] = column + i < columns ? values[i] : T();
  }
  if (aligned && column + perThread <= width) {
    if constexpr (bytes % 16 == 0) {
#pragma unroll
      for (int i = 0; i < bytes / 16; i++) {
        reinterpret_cast<uint4*>(to)[i] = reinterpret_cast<const uint4*>(kept)[i];
      }
    } else {
      *reinterpret_cast<uint2*>(to) = *reinterpret_cast<const uint2*>(kept);
    }
  } else {
#pragma unroll
    for (int i = 0; i < perThread; i++) {
      if (column + i < width) {
        to[i] = kept[i];
      }
    }
  }
}
