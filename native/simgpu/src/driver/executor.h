// Carries out single pieces of work.
#pragma once

#include "driver/driver.h"

namespace simgpu::driver {

CUresult run(Driver& driver, Context& context, const KernelWork& work);
CUresult run(Driver& driver, const CopyWork& work);
CUresult run(Driver& driver, const FillWork& work);
CUresult run(Driver& driver, const FreeWork& work);
/** On a thread of its own: what it calls may attach that thread to a virtual machine and detach it again. */
CUresult run(const HostWork& work);

/** Milliseconds of the process's monotonic clock. */
double clockMilliseconds();

/** What the memory's answer means to a program, with the reason noted in the log. */
CUresult explain(Driver& driver, MemoryStatus status, const char* what, std::uint64_t address, std::size_t bytes);

} // namespace simgpu::driver
