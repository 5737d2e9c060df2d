#include "driver/driver.h"

#include "driver/call.h"

#include <algorithm>

namespace simgpu::driver {

Driver::Driver() : configuration(Configuration::fromEnvironment()) {}

Driver& Driver::instance() {
  static Driver* const driver = new Driver();
  return *driver;
}

DeviceMemory& Driver::memory() {
  engine();
  return *memory_;
}

Engine& Driver::engine() {
  if (engine_ == nullptr) {
    memory_ = std::make_unique<DeviceMemory>(configuration.model.memoryBytes);
    engine_ = std::make_unique<Engine>(configuration.model, *memory_, configuration.engine);
  }
  return *engine_;
}

bool Driver::configure(std::string_view words, std::string& problem) {
  Configuration wanted = Configuration::fromEnvironment();
  if (!wanted.apply(words, problem)) return false;
  const bool sameDevice = wanted.model.name == configuration.model.name &&
                          wanted.model.memoryBytes == configuration.model.memoryBytes;
  if (!sameDevice && contexts.size() > 0) {
    problem = "the device cannot be changed while contexts exist on it";
    return false;
  }
  configuration = wanted;
  if (!sameDevice) {
    engine_.reset();
    memory_.reset();
  } else if (engine_ != nullptr) {
    engine_->setSettings(configuration.engine);
  }
  return true;
}

CUresult Driver::refuse(CUresult result, std::string reason) {
  report("refused call", result, std::move(reason));
  return result;
}

void Driver::report(std::string kind, CUresult status, std::string text) {
  findings.add({std::move(kind), status, currentCall, std::move(text), std::nullopt}, configuration.reportToStderr);
}

void Driver::report(const Finding& finding) {
  findings.add({findingKindName(finding.kind), static_cast<CUresult>(finding.status), currentCall, finding.text(),
                finding},
               configuration.reportToStderr);
}

std::shared_ptr<Context> Driver::createContext(unsigned flags, bool isPrimary) {
  engine();
  auto context = std::make_shared<Context>();
  context->flags = flags;
  context->primary = isPrimary;
  context->id = nextOwner_++;
  context->legacy = std::make_shared<Stream>();
  context->legacy->owner = context->id;
  context->legacy->legacy = true;
  contexts.add(context);
  return context;
}

void Driver::endContext(Context& context) {
  if (context.sticky == CUDA_SUCCESS) scheduler.synchronize(context);
  reportLeaks(context);
  const auto belongs = [&](const auto& object) { return object.owner == context.id; };
  graphExecs.take(belongs);
  graphNodes.take(belongs);
  graphs.take(belongs);
  events.take(belongs);
  streams.take(belongs);
  functions.take(belongs);
  modules.take(belongs);
  for (const auto& texture : textures.take(belongs)) {
    engine().textures().remove(reinterpret_cast<std::uint64_t>(texture->handle));
  }
  arrays.take(belongs);
  links.take(belongs);
  pools.take(belongs);
  std::erase_if(hostRanges, [&](const auto& entry) { return entry.second.owner == context.id; });
  memory().freeOwned(context.id, AllocationKind::user);
  std::erase_if(queuedFrees, [&](CUdeviceptr address) { return memory().check(address, 1) != MemoryStatus::ok; });
  context.perThread.clear();
  context.legacy.reset();
  contexts.remove(context.handle);
  order.contextEnded(context);
}

void Driver::endAllContexts() {
  for (const auto& context : contexts.all()) endContext(*context);
  primary.reset();
  primaryUsers = 0;
}

void Driver::reportLeaks(const Context& context) {
  const auto leak = [&](const std::string& what) {
    report("leak", CUDA_SUCCESS, what + " was not freed when its context ended");
  };
  for (const Allocation& allocation : memory().live(context.id)) {
    if (allocation.kind == AllocationKind::user) leak(allocation.describe());
  }
  const auto leakObjects = [&](const auto& table, const std::string& what) {
    for (const auto& object : table.all()) {
      if (object->owner != context.id) continue;
      char handle[24];
      std::snprintf(handle, sizeof handle, " %p", static_cast<void*>(object->handle));
      leak(what + handle);
    }
  };
  for (const auto& module : modules.all()) {
    if (module->owner != context.id) continue;
    const auto kernels = module->code->kernels();
    leak("module" + (kernels.empty() ? std::string() : " with kernel " + kernels.front().info.name));
  }
  leakObjects(streams, "stream");
  leakObjects(events, "event");
  leakObjects(graphExecs, "executable graph");
  for (const auto& graph : graphs.all()) {
    if (graph->owner != context.id || graph->nested) continue;
    leak("graph of " + std::to_string(graph->nodes.size()) + " nodes");
  }
  leakObjects(textures, "texture object");
  leakObjects(pools, "memory pool");
  leakObjects(links, "linker state");
}

std::shared_ptr<Context> Driver::contextOf(std::uint64_t owner) const {
  for (const auto& context : contexts.all()) {
    if (context->id == owner) return context;
  }
  return nullptr;
}

std::vector<std::shared_ptr<Stream>> Driver::streamsOf(const Context& context) const {
  std::vector<std::shared_ptr<Stream>> own;
  for (const auto& stream : streams.all()) {
    if (stream->owner == context.id) own.push_back(stream);
  }
  for (const auto& [thread, stream] : context.perThread) own.push_back(stream);
  return own;
}

std::shared_ptr<Stream> Driver::stream(Context& context, CUstream handle) {
  if (handle == nullptr || handle == CU_STREAM_LEGACY) return context.legacy;
  if (handle == CU_STREAM_PER_THREAD) {
    std::shared_ptr<Stream>& own = context.perThread[std::this_thread::get_id()];
    if (own == nullptr) {
      own = std::make_shared<Stream>();
      own->owner = context.id;
      own->handle = CU_STREAM_PER_THREAD;
    }
    return own;
  }
  const std::shared_ptr<Stream> found = streams.find(handle);
  return found != nullptr && found->owner == context.id ? found : nullptr;
}

const HostRange* Driver::pinned(std::uint64_t address, std::size_t bytes) const {
  const auto next = hostRanges.upper_bound(address);
  if (next == hostRanges.begin()) return nullptr;
  const HostRange& range = std::prev(next)->second;
  return range.contains(address, bytes) ? &range : nullptr;
}

bool Driver::onDevice(std::uint64_t address) { return memory().find(address).has_value() && !pinned(address, 1); }

CUresult Driver::captureForbids(const Context& context) {
  if (threadCaptureMode == CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_SUCCESS;
  for (const auto& stream : streamsOf(context)) {
    if (stream->capture == nullptr) continue;
    const Capture& capture = *stream->capture;
    const bool own = capture.thread == std::this_thread::get_id();
    const bool forbidden = capture.mode == CU_STREAM_CAPTURE_MODE_GLOBAL
                               ? own || threadCaptureMode == CU_STREAM_CAPTURE_MODE_GLOBAL
                               : capture.mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL && own;
    if (!forbidden) continue;
    stream->capture->invalid = true;
    return refuse(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                  "a stream is being captured; this call may wait for it and spoils the capture");
  }
  return CUDA_SUCCESS;
}

} // namespace simgpu::driver
