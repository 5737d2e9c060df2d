// The simulated device's own interface.
#pragma GCC visibility push(default)
#include "driver/simgpu.h"
#pragma GCC visibility pop

#include "driver/allocate.h"
#include "driver/call.h"
#include "driver/json_writer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

thread_local std::string message;

char* handOut(const std::string& text) {
  auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy != nullptr) std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

/** What stored the value there, if a kernel did. */
std::string originOf(DeviceMemory& memory, DeviceAddress address) {
  const std::uint8_t shadow = *memory.initialisedShadow(address);
  return holdsUnwrittenValue(shadow) ? ": " + memory.unwrittenValues().origin(shadow).text() : std::string();
}

/** The library goes on with what it finds, as the device would. */
void reportUnwritten(Driver& driver, const char* function, const std::vector<simgpuRange>& ranges) {
  for (const simgpuRange& range : ranges) {
    for (std::uint64_t row = 0; range.written == 0 && row < range.rows; ++row) {
      const std::uint64_t address = range.address + row * range.pitch;
      DeviceAddress bad = 0;
      if (driver.memory().check(address, range.bytes) != MemoryStatus::ok ||
          driver.memory().initialised(address, range.bytes, &bad)) {
        continue;
      }
      char place[32];
      std::snprintf(place, sizeof place, "0x%llx", static_cast<unsigned long long>(bad));
      const std::optional<Allocation> allocation = driver.memory().find(bad);
      driver.report(findingKindName(FindingKind::uninitialisedRead), CUDA_SUCCESS,
                    std::string(function) + " reads " + range.name + ", of which nobody wrote the byte at " + place +
                        (allocation ? " (" + allocation->describe() + ")" : std::string()) +
                        originOf(driver.memory(), bad));
      break;
    }
  }
}

void markWritten(Driver& driver, const std::vector<simgpuRange>& ranges) {
  for (const simgpuRange& range : ranges) {
    for (std::uint64_t row = 0; range.written != 0 && row < range.rows; ++row) {
      driver.memory().markInitialised(range.address + row * range.pitch, range.bytes);
    }
  }
}

std::string signature(const KernelInfo& kernel) {
  JsonWriter json;
  json.beginObject().field("kernel", kernel.name).field("bytes", kernel.parameterBytes);
  json.key("parameters").beginArray();
  for (const KernelParameter& parameter : kernel.parameters) {
    json.beginObject().field("name", parameter.name).field("offset", parameter.offset);
    json.field("size", parameter.size).field("alignment", parameter.alignment).endObject();
  }
  return json.endArray().endObject().text();
}

} // namespace

int simgpuConfigure(const char* words) {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  message.clear();
  return driver.configure(words == nullptr ? "" : words, message) ? 0 : 1;
}

const char* simgpuMessage() { return message.c_str(); }

void simgpuEndContexts() {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  currentCall = "simgpuEndContexts";
  driver.endAllContexts();
}

void simgpuClear() {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  driver.findings.clear();
  driver.order.forgetReports();
  driver.launches.clear();
}

char* simgpuFindings() {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  return handOut(driver.findings.json());
}

char* simgpuCounters() {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  return handOut(driver.launches.json());
}

char* simgpuProjection() {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  return handOut(driver.launches.projectionJson());
}

char* simgpuProjectionTable() {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  return handOut(driver.launches.projectionTable());
}

char* simgpuOpcodes(void* module) {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  const std::shared_ptr<LoadedModule> found = driver.modules.find(static_cast<CUmodule>(module));
  if (found == nullptr) return nullptr;
  JsonWriter json;
  json.beginArray();
  for (const std::string& opcode : found->code->opcodes()) json.value(opcode);
  return handOut(json.endArray().text());
}

char* simgpuSignature(void* function) {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  const std::shared_ptr<Function> found = driver.functions.find(static_cast<CUfunction>(function));
  return found == nullptr ? nullptr : handOut(signature(found->kernel->info));
}

char* simgpuKernelSignature(const char* kernel) {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  const Kernel* newest = nullptr;
  for (const auto& module : driver.modules.all()) {
    const Kernel* found = module->code->kernel(kernel);
    if (found != nullptr) newest = found;
  }
  return newest == nullptr ? nullptr : handOut(signature(newest->info));
}

void simgpuFree(char* text) { std::free(text); }

void simgpuNotSimulated(const char* function) {
  callAlways(function, [&](Driver& driver) -> CUresult {
    static std::set<std::string> logged;
    const std::string text = std::string(function) + " is not simulated";
    if (logged.insert(function).second) std::fprintf(stderr, "simgpu: %s\n", text.c_str());
    const std::vector<LogEntry>& known = driver.findings.entries();
    const auto same = [&](const LogEntry& entry) { return entry.kind == "not simulated" && entry.call == function; };
    if (std::none_of(known.begin(), known.end(), same)) {
      driver.findings.add({"not simulated", CUDA_ERROR_NOT_SUPPORTED, function, text, std::nullopt}, false);
    }
    return CUDA_SUCCESS;
  });
}

void simgpuRefused(const char* function, const char* reason) {
  callAlways(function, [&](Driver& driver) { return driver.refuse(CUDA_ERROR_INVALID_VALUE, reason); });
}

int simgpuMemoryAt(uint64_t address, uint64_t* bytesLeft) {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  *bytesLeft = 0;
  const std::optional<Allocation> found = driver.memory().find(address);
  if (!found) return driver.pinned(address, 1) != nullptr ? 3 : 0;
  *bytesLeft = found->base + found->size - address;
  if (found->freed) return 2;
  return driver.pinned(address, 1) != nullptr || found->label == managedLabel ? 3 : 1;
}

int simgpuStreamIsValid(void* stream) {
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  const std::shared_ptr<Context> context = currentContext(driver);
  return context != nullptr && driver.stream(*context, static_cast<CUstream>(stream)) != nullptr ? 1 : 0;
}

int simgpuSubmit(void* stream, const char* name, const simgpuRange* ranges, size_t count, int (*run)(void* data),
                 void* data, void (*discard)(void* data)) {
  const std::shared_ptr<void> owned(data, discard);
  return callInContext(name, [&](Driver& driver, Context& context) -> CUresult {
    const std::shared_ptr<Stream> target = driver.stream(context, static_cast<CUstream>(stream));
    if (target == nullptr) return badHandle(driver, "stream", stream);
    const std::vector<simgpuRange> touched(ranges, ranges + count);
    Footprint footprint;
    for (const simgpuRange& range : touched) {
      footprint.add(range.written != 0 ? Touch::write : Touch::read, range.address, range.bytes, range.rows,
                    range.pitch);
    }
    const auto body = [&driver, name, touched, run, owned] {
      if (driver.configuration.engine.checks) reportUnwritten(driver, name, touched);
      const auto result = static_cast<CUresult>(run(owned.get()));
      if (result == CUDA_SUCCESS) markWritten(driver, touched);
      return result;
    };
    return driver.scheduler.submit(context, target, LibraryWork{name, body, std::move(footprint)});
  });
}
