// Carries out single pieces of work.
#pragma once

#include "driver/driver.h"

namespace simgpu::driver {

/** `footprint`, if not null, gets what the kernel touches, and `projected` the milliseconds a device may need. */
CUresult run(Driver& driver, Context& context, const KernelWork& work, Footprint* footprint, double& projected);
CUresult run(Driver& driver, const CopyWork& work);
/** The bytes of a copy alone: no fault strikes it and it takes no time. */
CUresult transfer(Driver& driver, const CopyWork& work);
CUresult run(Driver& driver, const FillWork& work);
CUresult run(Driver& driver, const FreeWork& work);
/** On a thread of its own: what it calls may attach that thread to a virtual machine and detach it again. */
CUresult run(const HostWork& work);

/** Whether single pieces of work read or write memory, as far as the driver can know. */
bool touchesMemory(const Work& work);
/** What work other than a kernel touches, as far as other operations on the device can touch it too. */
Footprint footprintOf(Driver& driver, const Work& work);
/** Whether work that waits in a stream of the context may read these bytes of pinned memory. */
bool pendingWorkMayRead(const Driver& driver, const Context& context, std::uint64_t address, std::size_t bytes);
OperationName nameOf(const Work& work, const Stream& stream);

/** Milliseconds a device is projected to need for work other than a kernel: from published rates, never measured. */
double projectedMilliseconds(const Driver& driver, const Work& work);

/** Milliseconds of the process's monotonic clock. */
double clockMilliseconds();

/** What the memory's answer means to a program, with the reason noted in the log. */
CUresult explain(Driver& driver, MemoryStatus status, const char* what, std::uint64_t address, std::size_t bytes);

} // namespace simgpu::driver
