#include "driver/scheduler.h"

#include "driver/call.h"
#include "driver/capture.h"
#include "driver/executor.h"

#include <cstring>

namespace simgpu::driver {
namespace {

/** As many operations can wait in a stream; a device's own queue is about as long. */
constexpr std::size_t queueLimit = 1024;

/** Bytes kept to find out whether reads were too early; later reads are not watched. */
constexpr std::size_t watchedBytes = std::size_t{16} << 20;

} // namespace

CUresult Scheduler::submit(Context& context, const std::shared_ptr<Stream>& stream, Work work) {
  if (stream->capture != nullptr) return captureWork(driver_, context, *stream, std::move(work));
  stream->pending.push_back({++sequence_, std::make_shared<const Work>(std::move(work))});
  if (!driver_.configuration.deferred) return drain(context, stream);
  while (stream->pending.size() > queueLimit) runNext(context, stream);
  return context.sticky;
}

bool Scheduler::step(Context& context, const std::shared_ptr<Stream>& stream) {
  if (stream->pending.empty()) return false;
  runNext(context, stream);
  return true;
}

CUresult Scheduler::drain(Context& context, const std::shared_ptr<Stream>& stream) {
  while (!stream->pending.empty()) runNext(context, stream);
  return context.sticky;
}

CUresult Scheduler::drainUntil(Context& context, EventRecord& record) {
  const std::shared_ptr<Stream> stream = record.stream.lock();
  while (!record.done && stream != nullptr && !stream->pending.empty()) runNext(context, stream);
  return context.sticky;
}

void Scheduler::drainBefore(Context& context, const std::shared_ptr<Stream>& stream, std::uint64_t sequence) {
  while (!stream->pending.empty() && stream->pending.front().sequence < sequence) runNext(context, stream);
}

std::vector<std::shared_ptr<Stream>> Scheduler::streamsOf(const Context& context) const {
  std::vector<std::shared_ptr<Stream>> own;
  for (const auto& stream : driver_.streams.all()) {
    if (stream->owner == context.id) own.push_back(stream);
  }
  for (const auto& [thread, stream] : context.perThread) own.push_back(stream);
  return own;
}

CUresult Scheduler::synchronizeLegacy(Context& context) {
  for (const auto& stream : streamsOf(context)) {
    if (stream->blocking()) drain(context, stream);
  }
  return drain(context, context.legacy);
}

CUresult Scheduler::synchronize(Context& context) {
  for (const auto& stream : streamsOf(context)) drain(context, stream);
  return drain(context, context.legacy);
}

bool Scheduler::pending(const Context& context) const {
  if (!context.legacy->pending.empty()) return true;
  for (const auto& stream : streamsOf(context)) {
    if (!stream->pending.empty()) return true;
  }
  return false;
}

void Scheduler::runNext(Context& context, const std::shared_ptr<Stream>& stream) {
  const Task task = stream->pending.front();
  stream->pending.pop_front();
  // the legacy default stream and the blocking streams wait for each other
  if (stream->legacy) {
    for (const auto& other : streamsOf(context)) {
      if (other->blocking()) drainBefore(context, other, task.sequence);
    }
  } else if (stream->blocking()) {
    drainBefore(context, context.legacy, task.sequence);
  }
  if (context.sticky != CUDA_SUCCESS) return;
  refreshHostReads(context);
  if (const CUresult result = execute(context, *task.work)) {
    failContext(context, result);
  } else {
    compareHostReads(context, task);
  }
}

CUresult Scheduler::execute(Context& context, const Work& work) {
  struct Runner {
    Scheduler& scheduler;
    Driver& driver;
    Context& context;

    CUresult operator()(const EmptyWork&) { return CUDA_SUCCESS; }
    CUresult operator()(const KernelWork& kernel) { return run(driver, context, kernel); }
    CUresult operator()(const CopyWork& copy) { return run(driver, copy); }
    CUresult operator()(const FillWork& fill) { return run(driver, fill); }
    CUresult operator()(const HostWork& host) { return run(host); }
    CUresult operator()(const FreeWork& free) { return run(driver, free); }
    CUresult operator()(const LibraryWork& library) { return library.run(); }
    CUresult operator()(const EventRecordWork& recording) {
      std::shared_ptr<EventRecord> record = recording.record;
      if (record == nullptr) record = recording.event->last = std::make_shared<EventRecord>();
      record->done = true;
      record->milliseconds = clockMilliseconds();
      return CUDA_SUCCESS;
    }
    CUresult operator()(const EventWaitWork& wait) {
      const std::shared_ptr<EventRecord> record = wait.record ? wait.record : wait.event->last;
      return record == nullptr ? CUDA_SUCCESS : scheduler.drainUntil(context, *record);
    }
    CUresult operator()(const GraphWork& graph) {
      for (const auto& node : graph.nodes) {
        if (const CUresult result = scheduler.execute(context, *node)) return result;
      }
      return CUDA_SUCCESS;
    }
  };
  return std::visit(Runner{*this, driver_, context}, work.any());
}

void Scheduler::failContext(Context& context, CUresult result) {
  // what an invalid argument of a queued operation turns into: on a device it is found only when it runs
  context.sticky = result == CUDA_ERROR_INVALID_VALUE ? CUDA_ERROR_ILLEGAL_ADDRESS : result;
  std::vector<std::shared_ptr<Stream>> own = streamsOf(context);
  own.push_back(context.legacy);
  for (const auto& stream : own) stream->pending.clear();
  forget(context);
}

void Scheduler::noteHostRead(Context& context, CUdeviceptr from, const void* bytesSeen, std::size_t bytes) {
  if (!pending(context) || bytes == 0) return;
  std::size_t watched = bytes;
  for (const HostRead& read : hostReads_) watched += read.seen.size();
  if (watched > watchedBytes) return;
  const auto* first = static_cast<const std::byte*>(bytesSeen);
  hostReads_.push_back({context.id, from, {first, first + bytes}, sequence_, currentCall});
}

void Scheduler::refreshHostReads(Context& context) {
  for (HostRead& read : hostReads_) {
    if (read.owner == context.id) driver_.memory().copyOut(read.seen.data(), read.from, read.seen.size());
  }
}

void Scheduler::compareHostReads(Context& context, const Task& task) {
  if (hostReads_.empty()) return;
  std::erase_if(hostReads_, [&](const HostRead& read) {
    if (read.owner != context.id || task.sequence > read.sequence) return false;
    if (driver_.memory().check(read.from, read.seen.size()) != MemoryStatus::ok) return true;
    std::vector<std::byte> now(read.seen.size());
    driver_.memory().copyOut(now.data(), read.from, now.size());
    if (std::memcmp(now.data(), read.seen.data(), now.size()) == 0) return false;
    const auto* kernel = std::get_if<KernelWork>(&task.work->any());
    char text[96];
    std::snprintf(text, sizeof text, "%zu bytes at 0x%llx", now.size(), static_cast<unsigned long long>(read.from));
    driver_.report("read before synchronised", CUDA_SUCCESS,
                   read.call + " read " + text + " before " +
                       (kernel ? "kernel " + kernel->function->kernel->info.name : std::string("work")) +
                       " on a stream, submitted earlier, had written there; synchronise with that stream first");
    return true;
  });
  if (!pending(context)) forget(context);
}

void Scheduler::forget(const Context& context) {
  std::erase_if(hostReads_, [&](const HostRead& read) { return read.owner == context.id; });
}

} // namespace simgpu::driver
