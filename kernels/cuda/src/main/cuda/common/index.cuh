// Indices that come from outside: token ids, positions, rows to gather.
#pragma once

#include <cstdint>

// Where an index lies, and how it moves along two axes; a step of 0 repeats it.
struct Indices {
  const void* at;
  int bytes;  // of an index: 4 or 8
  int64_t outerStep;
  int64_t innerStep;

  __device__ int64_t get(int64_t outer, int64_t inner) const {
    int64_t i = outer * outerStep + inner * innerStep;
    return bytes == 8 ? static_cast<const int64_t*>(at)[i] : static_cast<const int32_t*>(at)[i];
  }
};

// The row an index names, negative ones counted from the end. One that names none gives row 0, and lowers *fault to the
// position of the look-up, so that after the launch it is the first bad one's; it starts at the greatest number.
__device__ inline int64_t checkedRow(int64_t index, int64_t rows, unsigned long long* fault, int64_t position) {
  int64_t row = index < 0 ? index + rows : index;
  if (row >= 0 && row < rows) {
    return row;
  }
  atomicMin(fault, static_cast<unsigned long long>(position));
  return 0;
}
