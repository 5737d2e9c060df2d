// A gate: y = activation(gate) * x, element by element, in f32 (N. Shazeer, GLU Variants Improve Transformer, 2020).
#include "common/walk.cuh"
#include "facts.cuh"
#include "gemm/activation.cuh"

extern "C" __global__ void __launch_bounds__(elementwiseThreads)
    gated_f16(const __half* gate, const __half* x, __half* y, int rows, int columns, int activationKind, int pitchGate,
              int pitchX, int pitchY) {
  KERNEL_FACT("operation gated");
  KERNEL_FACT("grid eightPerThread");
  KERNEL_FACT_1("threads", elementwiseThreads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters gate:pointer x:pointer y:pointer rows:i32 columns:i32 activationKind:i32 pitchGate:i32 "
              "pitchX:i32 pitchY:i32");
  const Place place = Place::of(pitchY);
  if (place.row >= rows) {
    return;
  }
  const Pack<__half> gates = Pack<__half>::load(gate + place.row * pitchGate + place.column);
  const Pack<__half> values = Pack<__half>::load(x + place.row * pitchX + place.column);
  float gated[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    gated[i] = toFloat(gates.at[i]);
  }
  filigree::activate(gated, activationKind);
  Pack<__half> results;
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    results.at[i] = fromFloat<__half>(place.column + i < columns ? gated[i] * toFloat(values.at[i]) : 0);
  }
  results.store(y + place.row * pitchY + place.column);
}
