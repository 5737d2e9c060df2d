// The container nvcc puts machine code and PTX into, for several architectures.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace simgpu::driver {

/** Whether an image that begins with this word is a container, or the structure in a program that points to one. */
bool isFatBinary(std::uint32_t magic);

/**
 * The PTX in a container for the latest architecture that is not beyond `target` (80 is sm_80); empty, with a
 * `problem`, when there is none that is not compressed.
 */
std::string_view fatBinaryText(const void* image, std::uint32_t target, std::string& problem);

} // namespace simgpu::driver
