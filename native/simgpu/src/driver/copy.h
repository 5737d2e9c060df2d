// Turns the arguments of the copy functions into copies, checked.
#pragma once

#include "driver/driver.h"

namespace simgpu::driver {

/** A side as the caller declares it; `automatic` finds out by the address. */
enum class Location { host, device, automatic };

/** A copy of consecutive bytes. */
CopyWork flatCopy(Driver& driver, Location to, std::uint64_t toAddress, Location from, std::uint64_t fromAddress,
                  std::size_t bytes);

/** From the structure of a 2D or 3D copy; notes why it cannot be done. */
CUresult boxCopy(Driver& driver, const CUDA_MEMCPY3D& arguments, CopyWork& copy);
CUDA_MEMCPY3D asBox(const CUDA_MEMCPY2D& arguments);

/** Whether both sides exist; notes why not. */
CUresult checkCopy(Driver& driver, const CopyWork& copy);

/** Runs a copy after the work the legacy default stream waits for. */
CUresult copyNow(Driver& driver, Context& context, const CopyWork& copy);

/**
 * Queues a copy. Pageable memory is read before the call returns, and written before it returns, as on a device; the
 * contents of a pinned destination are meaningless until the stream was waited for.
 */
CUresult copyLater(Driver& driver, Context& context, CopyWork copy, CUstream stream);

} // namespace simgpu::driver
