// Rotary positions of heads that lie beside each other (J. Su and others, RoFormer, 2021): of a head's first `turned`
// features the halves a and b become a * cos - b * sin and b * cos + a * sin, in f32; the rest stays.
//
//   x, y     [tokens] [heads][ first half | second half | rest ]
//   cos, sin [tableRows] [ of the first half | of the second half ]      token t has row t % tableRows
#include "common/walk.cuh"
#include "facts.cuh"

extern "C" __global__ void __launch_bounds__(elementwiseThreads)
    rotary_f16(const __half* x, const float* cos, const float* sin, __half* y, int rows, int columns, int width,
               int turned, int tableRows, int pitchX, int pitchTable, int pitchY) {
  KERNEL_FACT("operation rotary");
  KERNEL_FACT("grid eightPerThread");
  KERNEL_FACT_1("threads", elementwiseThreads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters x:pointer cos:pointer sin:pointer y:pointer rows:i32 columns:i32 width:i32 turned:i32 "
              "tableRows:i32 pitchX:i32 pitchTable:i32 pitchY:i32");
  const Place place = Place::of(pitchY);
  if (place.row >= rows) {
    return;
  }
  const __half* token = x + place.row * pitchX;
  const int64_t table = place.row % tableRows * pitchTable;
  // beyond the last column, where x may have less room than y, there are zeros
  const Pack<__half> values =
      place.column < columns ? Pack<__half>::load(token + place.column) : Pack<__half>::zero();
  const int half = turned / 2;
  Pack<__half> results;
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    const int column = place.column + i;
    const int feature = column % width;
    float value = toFloat(values.at[i]);
    if (column < columns && feature < turned) {
      const bool first = feature < half;
      const float other = toFloat(token[first ? column + half : column - half]);
      value = value * cos[table + feature] + (first ? -other : other) * sin[table + feature];
    }
    results.at[i] = fromFloat<__half>(value);
  }
  results.store(y + place.row * pitchY + place.column);
}
