// Questions about the program's own memory.
#pragma once

#include <cstddef>

namespace simgpu::driver {

/** Whether every page of the range is mapped, so that touching it does not end the process. */
bool hostMapped(const void* pointer, std::size_t bytes);

} // namespace simgpu::driver
