// cp.async: copies that happen when they are waited for, as late as the device could do them. What a kernel reads
// before it waited is therefore old, and with checks on it is reported.
#pragma once

#include <cstdint>

namespace simgpu {

class Warp;

/** Performs every outstanding copy of these lanes: cp.async.wait_all, the arrival on an mbarrier, exit. */
void finishCopies(Warp& warp, std::uint32_t lanes);

} // namespace simgpu
