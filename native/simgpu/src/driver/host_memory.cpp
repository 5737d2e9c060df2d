#include "driver/host_memory.h"

#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>

namespace simgpu::driver {

bool hostMapped(const void* pointer, std::size_t bytes) {
  if (pointer == nullptr) return false;
  if (bytes == 0) return true;
  static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<std::uintptr_t>(pointer);
  if (bytes > UINTPTR_MAX - first - page) return false;
  const std::uintptr_t start = first / page * page;
  const std::uintptr_t end = (first + bytes + page - 1) / page * page;
  // fails for unmapped pages and does nothing to mapped ones
  return msync(reinterpret_cast<void*>(start), end - start, MS_ASYNC) == 0;
}

} // namespace simgpu::driver
