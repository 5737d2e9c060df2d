// cudaDataType as the libraries' interfaces number it.
#pragma once

namespace simgpu::testing {

inline constexpr int f32 = 0;
inline constexpr int f64 = 1;
inline constexpr int f16 = 2;
inline constexpr int s8 = 3;
inline constexpr int s32 = 10;
inline constexpr int bf16 = 14;

} // namespace simgpu::testing
