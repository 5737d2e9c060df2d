#include "driver/executor.h"

#include "driver/call.h"

#include <chrono>
#include <cstring>
#include <thread>

namespace simgpu::driver {
namespace {

/** Visits the rows of a copy; stops at the first that is not good. */
template <class Row> MemoryStatus forRows(const CopyWork& copy, Row row) {
  // rows that follow each other without a gap on both sides are one row
  const bool flat = copy.from.pitch == copy.width && copy.to.pitch == copy.width &&
                    (copy.depth == 1 || (copy.from.slice == copy.width * copy.height &&
                                         copy.to.slice == copy.width * copy.height));
  if (flat) return row(copy.to.address, copy.from.address, copy.bytes());
  for (std::size_t z = 0; z < copy.depth; ++z) {
    for (std::size_t y = 0; y < copy.height; ++y) {
      const MemoryStatus status = row(copy.to.address + z * copy.to.slice + y * copy.to.pitch,
                                      copy.from.address + z * copy.from.slice + y * copy.from.pitch, copy.width);
      if (status != MemoryStatus::ok) return status;
    }
  }
  return MemoryStatus::ok;
}

void* hostPointer(std::uint64_t address) { return reinterpret_cast<void*>(address); }

MemoryStatus copyRows(DeviceMemory& memory, const CopyWork& copy) {
  if (copy.from.device && copy.to.device) {
    return forRows(copy, [&](auto to, auto from, auto bytes) { return memory.copyWithin(to, from, bytes); });
  }
  if (copy.to.device) {
    return forRows(copy, [&](auto to, auto from, auto bytes) { return memory.copyIn(to, hostPointer(from), bytes); });
  }
  if (copy.from.device) {
    return forRows(copy, [&](auto to, auto from, auto bytes) { return memory.copyOut(hostPointer(to), from, bytes); });
  }
  return forRows(copy, [&](auto to, auto from, auto bytes) {
    std::memmove(hostPointer(to), hostPointer(from), bytes);
    return MemoryStatus::ok;
  });
}

bool reachesHost(Driver& driver, const CopyWork& copy) {
  if (!copy.from.device || !copy.to.device) return copy.from.device;
  const std::optional<Allocation> target = driver.memory().find(copy.to.address);
  return target && target->hostSees;
}

/** A copy to the host uses what it brings: the first value that comes from bytes nobody wrote is reported. */
CUresult reportUnwrittenCopied(Driver& driver, const CopyWork& copy) {
  DeviceMemory& memory = driver.memory();
  DeviceAddress found = 0;
  forRows(copy, [&](auto, auto from, auto bytes) {
    found = found != 0 ? found : memory.firstUnwrittenValue(from, bytes);
    return MemoryStatus::ok;
  });
  if (found == 0) return CUDA_SUCCESS;
  Finding finding = memory.unwrittenValues().origin(*memory.initialisedShadow(found));
  char place[64];
  std::snprintf(place, sizeof place, "; a copy to the host reads it at 0x%llx", static_cast<unsigned long long>(found));
  finding.detail += place;
  const std::optional<Allocation> allocation = memory.find(found);
  if (allocation) finding.detail += " (" + allocation->describe() + ")";
  driver.report(finding);
  return static_cast<CUresult>(finding.status);
}

} // namespace

double clockMilliseconds() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

CUresult explain(Driver& driver, MemoryStatus status, const char* what, std::uint64_t address, std::size_t bytes) {
  if (status == MemoryStatus::ok) return CUDA_SUCCESS;
  char place[96];
  std::snprintf(place, sizeof place, "%s of %zu bytes at 0x%llx ", what, bytes,
                static_cast<unsigned long long>(address));
  std::string text = place;
  const std::optional<Allocation> inside = driver.memory().find(address);
  const std::optional<Allocation> near = inside ? inside : driver.memory().nearest(address);
  switch (status) {
  case MemoryStatus::freed: text += "lies in memory that was freed"; break;
  case MemoryStatus::outOfBounds: text += "ends beyond its allocation"; break;
  case MemoryStatus::notBase: text += "is not where an allocation starts"; break;
  default: text += "is no device memory"; break;
  }
  if (near) text += (inside ? ": " : "; the nearest is ") + near->describe();
  return driver.refuse(CUDA_ERROR_INVALID_VALUE, text);
}

CUresult run(Driver& driver, Context& context, const KernelWork& work, Footprint* footprint,
             double& projected) {
  const KernelInfo& info = work.function->kernel->info;
  if (const CUresult fault = driver.configuration.faults.countLaunch()) {
    driver.report("injected fault", fault, "the launch of " + info.name + " fails, as demanded");
    return fault;
  }
  Engine& engine = driver.engine();
  const double start = clockMilliseconds();
  LaunchConfig config = work.config;
  config.footprint = footprint;
  LaunchResult result = engine.launch(*work.function->kernel, config, work.parameters);
  const double end = clockMilliseconds();
  for (const Finding& finding : result.findings) driver.report(finding);
  const auto status = static_cast<CUresult>(result.status);
  LaunchRecord record{info, work.config, 0, status, end - start, result.counters};
  record.residentBlocks = engine.occupancy(info, static_cast<std::uint32_t>(work.config.block.volume()),
                                           work.config.dynamicShared);
  if (driver.configuration.projectedTimes) {
    projected = record.project(peaksOf(driver.configuration.model)).total * 1e3;
  }
  driver.launches.add(std::move(record));
  if (status != CUDA_SUCCESS && result.findings.empty()) {
    driver.report("failed launch", status, "kernel " + info.name + " failed in context " + std::to_string(context.id));
  }
  return status;
}

CUresult run(Driver& driver, const CopyWork& work) {
  if (const std::uint32_t delay = driver.configuration.faults.copyDelayMicroseconds()) {
    std::this_thread::sleep_for(std::chrono::microseconds(delay));
  }
  if (const std::uint64_t touched = work.guard == nullptr ? 0 : work.guard->lift()) {
    char place[32];
    std::snprintf(place, sizeof place, "0x%llx", static_cast<unsigned long long>(touched));
    driver.report("read before synchronised", CUDA_SUCCESS,
                  std::string("the host touched pinned memory at ") + place + " before the copy of " +
                      std::to_string(work.bytes()) + " bytes into it had been waited for");
  }
  if (work.bytes() == 0) return CUDA_SUCCESS;
  if (const CUresult fault = driver.configuration.faults.countCopy()) {
    driver.report("injected fault", fault,
                  std::string("the copy of ") + std::to_string(work.bytes()) + " bytes fails, as demanded");
    return fault;
  }
  const CUresult result = transfer(driver, work);
  return result == CUDA_SUCCESS && driver.configuration.engine.checks && reachesHost(driver, work)
             ? reportUnwrittenCopied(driver, work)
             : result;
}

CUresult transfer(Driver& driver, const CopyWork& work) {
  MemoryStatus status;
  if (work.staged.empty()) {
    status = copyRows(driver.memory(), work);
  } else {
    CopyWork fromStage = work;
    fromStage.from = {false, reinterpret_cast<std::uint64_t>(work.staged.data()), work.width, work.width * work.height};
    status = copyRows(driver.memory(), fromStage);
  }
  const CopySide& side = work.to.device ? work.to : work.from;
  return explain(driver, status, "copy", side.address, work.bytes());
}

CUresult run(Driver& driver, const FillWork& work) {
  if (work.width == 0 || work.height == 0) return CUDA_SUCCESS;
  for (std::size_t y = 0; y < work.height; ++y) {
    const CUdeviceptr row = work.to + y * work.pitch;
    const MemoryStatus status = driver.memory().fill(row, &work.value, work.elementBytes, work.width);
    if (status != MemoryStatus::ok) return explain(driver, status, "fill", row, work.width * work.elementBytes);
  }
  return CUDA_SUCCESS;
}

CUresult run(Driver& driver, const FreeWork& work) {
  driver.queuedFrees.erase(work.address);
  return explain(driver, driver.memory().free(work.address), "free", work.address, 0);
}

CUresult run(const HostWork& work) {
  std::thread([&work] {
    insideHostFunction = true;
    if (work.function != nullptr) {
      work.function(work.userData);
    } else {
      work.callback(work.stream, CUDA_SUCCESS, work.userData);
    }
  }).join();
  return CUDA_SUCCESS;
}

} // namespace simgpu::driver
