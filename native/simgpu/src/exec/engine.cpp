#include "exec/engine.h"

#include "exec/block.h"
#include "exec/compiler.h"
#include "exec/module_content.h"
#include "exec/thread_pool.h"
#include "exec/worker.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <thread>

namespace simgpu {

namespace {

constexpr std::uint32_t threadsPerWarp = 32;
constexpr std::uint32_t registerUnit = 256;      // registers are allocated to warps in units of this
constexpr std::uint32_t sharedUnit = 128;        // and shared memory to blocks
constexpr std::uint64_t gridWorkspaceBytes = 4096; // cooperative groups keep the grid barrier's counter there

std::uint32_t roundUp(std::uint32_t value, std::uint32_t unit) { return (value + unit - 1) / unit * unit; }

LaunchResult refused(const KernelInfo& kernel, Status status, std::string reason) {
  LaunchResult result;
  result.status = status;
  Finding finding;
  finding.kind = FindingKind::invalidLaunch;
  finding.status = status;
  finding.kernel = kernel.name;
  finding.detail = std::move(reason);
  result.findings.push_back(std::move(finding));
  return result;
}

std::string show(const Dim3& d) {
  char text[64];
  std::snprintf(text, sizeof text, "(%u,%u,%u)", d.x, d.y, d.z);
  return text;
}

/** Why a launch cannot be; success with an empty reason when it can. */
struct Verdict {
  Status status = Status::success;
  std::string reason;
};

Verdict judge(const DeviceModel& model, const KernelInfo& kernel, const LaunchConfig& config, std::size_t parameterBytes) {
  const auto invalid = [](std::string reason) { return Verdict{Status::invalidValue, std::move(reason)}; };
  if (parameterBytes != kernel.parameterBytes) {
    return invalid("the parameters have " + std::to_string(parameterBytes) + " bytes, the kernel takes " +
                   std::to_string(kernel.parameterBytes));
  }
  if (!kernel.refusal.empty()) {
    return {Status::notSupported, kernel.refusal};
  }
  const Dim3& grid = config.grid;
  const Dim3& block = config.block;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535) {
    return invalid("the grid " + show(grid) + " is not between (1,1,1) and (2147483647,65535,65535)");
  }
  if (block.x == 0 || block.y == 0 || block.z == 0 || block.x > 1024 || block.y > 1024 || block.z > 64) {
    return invalid("the block " + show(block) + " is not between (1,1,1) and (1024,1024,64)");
  }
  if (block.volume() > kernel.maxThreads) {
    return invalid("the block " + show(block) + " has more than the kernel's " + std::to_string(kernel.maxThreads) +
                   " threads");
  }
  const Dim3& required = kernel.requiredBlock;
  if (required.x != 0 && (required.x != block.x || required.y != block.y || required.z != block.z)) {
    return invalid("the kernel requires blocks of " + show(required) + ", not " + show(block));
  }
  const std::uint64_t shared = std::uint64_t{kernel.staticSharedBytes} + config.dynamicShared;
  const std::uint64_t limit = config.maxDynamicShared != 0
                                  ? std::min<std::uint64_t>(model.sharedPerBlockOptin,
                                                            std::uint64_t{kernel.staticSharedBytes} + config.maxDynamicShared)
                                  : model.sharedPerBlock;
  if (shared > std::max<std::uint64_t>(limit, config.maxDynamicShared != 0 ? 0 : model.sharedPerBlock)) {
    return invalid(std::to_string(shared) + " bytes of shared memory (" + std::to_string(kernel.staticSharedBytes) +
                   " static) exceed the limit of " + std::to_string(limit) +
                   "; cuFuncSetAttribute(MAX_DYNAMIC_SHARED_SIZE_BYTES) raises it");
  }
  return {};
}

/** The storage of a launch's parameters, aligned as the most demanding one. */
class ParameterBlock {
public:
  explicit ParameterBlock(std::span<const std::byte> bytes) : storage_(bytes.size() / sizeof(Unit) + 1), size_(bytes.size()) {
    if (!bytes.empty()) {
      std::memcpy(storage_.data(), bytes.data(), bytes.size());
    }
  }
  std::span<const std::byte> bytes() const {
    return {reinterpret_cast<const std::byte*>(storage_.data()), size_};
  }

private:
  struct alignas(64) Unit {
    std::byte bytes[64];
  };
  std::vector<Unit> storage_;
  std::size_t size_;
};

} // namespace

std::string CompileResult::log() const {
  std::string text;
  for (const Diagnostic& error : errors) {
    if (!text.empty()) {
      text += '\n';
    }
    text.append("line ").append(std::to_string(error.line)).append(": ").append(error.message);
  }
  return text;
}

std::string LaunchResult::report() const {
  std::string text;
  for (const Finding& finding : findings) {
    text += finding.text() + "\n";
  }
  return text;
}

Engine::Engine(DeviceModel model, DeviceMemory& memory, Settings settings)
    : model_(std::move(model)), memory_(memory), settings_(settings) {}

Engine::~Engine() {
  if (gridWorkspace_ != 0) {
    memory_.free(gridWorkspace_);
  }
}

CompileResult Engine::compile(std::string_view ptx, std::uint64_t owner) {
  return compileModule(ptx, model_, memory_, owner);
}

Settings Engine::settings() const {
  std::lock_guard lock(settingsMutex_);
  return settings_;
}

void Engine::setSettings(const Settings& settings) {
  std::lock_guard lock(settingsMutex_);
  settings_ = settings;
}

Limits Engine::limits() const {
  std::lock_guard lock(settingsMutex_);
  return limits_;
}

void Engine::setLimits(const Limits& limits) {
  std::lock_guard lock(settingsMutex_);
  limits_ = limits;
}

void Engine::setPrintfSink(std::function<void(std::string_view)> sink) {
  std::lock_guard lock(settingsMutex_);
  printfSink_ = std::move(sink);
}

std::uint32_t Engine::occupancy(const KernelInfo& kernel, std::uint32_t threads, std::uint32_t dynamicShared) const {
  if (threads == 0 || threads > model_.threadsPerBlock) {
    return 0;
  }
  const std::uint32_t warps = (threads + threadsPerWarp - 1) / threadsPerWarp;
  const std::uint32_t registersPerWarp = roundUp(std::max(1u, kernel.registers) * threadsPerWarp, registerUnit);
  // their number is an estimate, which may bound how many blocks are resident but not refuse what a device may run
  const std::uint32_t byRegisters = std::max(1u, model_.registersPerSm / registersPerWarp / warps);
  const std::uint32_t shared =
      roundUp(kernel.staticSharedBytes + dynamicShared + model_.sharedReservedPerBlock, sharedUnit);
  const std::uint32_t byShared = model_.sharedPerSm / shared;
  const std::uint32_t byThreads = model_.threadsPerSm / (warps * threadsPerWarp);
  return std::min({byRegisters, byShared, byThreads, model_.blocksPerSm});
}

LaunchResult Engine::launch(const Kernel& kernel, const LaunchConfig& config, std::span<const std::byte> parameters) {
  std::lock_guard launchLock(launchMutex_);
  const Module::Content& content = kernel.module->content();
  const Verdict verdict = judge(model_, kernel.info, config, parameters.size());
  if (verdict.status != Status::success) {
    return refused(kernel.info, verdict.status, verdict.reason);
  }
  const auto threads = static_cast<std::uint32_t>(config.block.volume());
  const std::uint32_t perSm = occupancy(kernel.info, threads, config.dynamicShared);
  if (perSm == 0) {
    return refused(kernel.info, Status::launchOutOfResources,
                   "a block of " + std::to_string(threads) + " threads with " + std::to_string(kernel.info.registers) +
                       " registers each and " + std::to_string(kernel.info.staticSharedBytes + config.dynamicShared) +
                       " bytes of shared memory does not fit on an SM");
  }
  const std::uint64_t resident = std::uint64_t{perSm} * model_.smCount;
  if (config.cooperative && config.grid.volume() > resident) {
    return refused(kernel.info, Status::cooperativeLaunchTooLarge,
                   std::to_string(config.grid.volume()) + " blocks cannot be resident at once, only " +
                       std::to_string(resident));
  }

  LaunchContext context(memory_, model_, settings());
  const ParameterBlock block(parameters);
  context.limits = limits();
  context.textures = &textures_;
  context.code = &content.code;
  context.entry = &content.code.functions[content.entries[kernel.index].function];
  context.kernel = kernel.info.name;
  context.grid = config.grid;
  context.block = config.block;
  context.threads = threads;
  context.parameters = block.bytes();
  context.staticShared = content.entries[kernel.index].sharedStatic;
  context.dynamicShared = config.dynamicShared;
  context.sharedBytes = context.staticShared + config.dynamicShared;
  // a gap keeps an access beyond the kernel's own memory from being taken for one to the reserved region
  context.reservedShared = roundUp(context.sharedBytes, sharedUnit) + model_.sharedReservedPerBlock;
  context.sharedTotal = context.reservedShared + model_.sharedReservedPerBlock;
  context.launchId = ++launchCount_;
  context.heapOwner = content.owner;
  if (context.settings.checks) {
    context.fences = std::vector<std::atomic<std::uint32_t>>(std::min(config.grid.volume(), blocksTraced));
  }
  context.recordAccesses = config.footprint != nullptr;
  if (config.cooperative) {
    context.gridWorkspace = prepareGridWorkspace();
  }
  LaunchResult result;
  execute(context, resident, config.footprint, result);
  result.findings = context.takeFindings();
  result.status = result.findings.empty() ? Status::success : result.findings.front().status; // a note's is success
  const std::string printed = context.takePrinted();
  if (!printed.empty()) {
    std::function<void(std::string_view)> sink;
    {
      std::lock_guard lock(settingsMutex_);
      sink = printfSink_;
    }
    if (sink) {
      sink(printed);
    } else {
      std::fwrite(printed.data(), 1, printed.size(), stdout);
    }
  }
  return result;
}

DeviceAddress Engine::prepareGridWorkspace() {
  if (gridWorkspace_ == 0) {
    gridWorkspace_ = memory_.allocate(gridWorkspaceBytes, AllocationKind::module, 0, "grid workspace");
  }
  const std::uint32_t zero = 0;
  memory_.fill(gridWorkspace_, &zero, sizeof zero, gridWorkspaceBytes / sizeof zero);
  return gridWorkspace_;
}

/** Runs the blocks on this thread and those of the pool. */
void Engine::execute(LaunchContext& context, std::uint64_t resident, Footprint* footprint, LaunchResult& result) {
  const std::uint32_t wanted =
      context.settings.workers != 0 ? context.settings.workers : std::max(1u, std::thread::hardware_concurrency());
  const auto workers = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, context.grid.volume()));
  const auto share = static_cast<std::uint32_t>(std::min<std::uint64_t>((resident + workers - 1) / workers, 1 << 20));
  std::vector<Counters> counters(workers);
  std::mutex footprintMutex;
  const auto work = [&](std::uint32_t index) {
    Worker worker(context, share);
    worker.run();
    counters[index] = worker.counters;
    if (footprint != nullptr) {
      const std::lock_guard lock(footprintMutex);
      worker.accesses.addTo(*footprint);
    }
  };
  ThreadPool::shared().run(workers, work);
  for (const Counters& part : counters) {
    result.counters.add(part);
  }
  if (footprint != nullptr) {
    footprint->settle();
  }
}

} // namespace simgpu
