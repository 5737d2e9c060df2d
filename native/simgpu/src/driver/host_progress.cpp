#include "driver/host_progress.h"

#include "driver/call.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <string>
#include <thread>

namespace simgpu::driver {
namespace {

/** Long beside what a program does between two calls, so that it is still the calls that decide what runs. */
constexpr auto quiet = std::chrono::milliseconds(200);

std::atomic<std::uint64_t> calls{0};

// for the thread, which sleeps while no host function is queued; never destroyed, as it is never ended
struct Request {
  std::mutex mutex;
  std::condition_variable changed;
  bool wanted = false;
};

Request& request() {
  static auto* const instance = new Request;
  return *instance;
}

bool waits(const Stream& stream) {
  return std::any_of(stream.pending.begin(), stream.pending.end(),
                     [](const Task& task) { return callsHost(*task.work); });
}

void runHostFunctions(Driver& driver) {
  currentCall = "a host function's turn";
  for (const auto& context : driver.contexts.all()) {
    auto streams = driver.streamsOf(*context);
    streams.push_back(context->legacy);
    for (const auto& stream : streams) {
      while (waits(*stream)) driver.scheduler.step(*context, stream);
    }
  }
}

void serve(Driver& driver) {
  while (true) {
    {
      std::unique_lock lock(request().mutex);
      request().changed.wait(lock, [] { return request().wanted; });
    }
    const std::uint64_t before = calls;
    std::this_thread::sleep_for(quiet);
    const std::unique_lock locked(driver.mutex, std::try_to_lock);
    if (!locked.owns_lock() || calls != before) continue;
    const InsideSimulation inside;
    {
      const std::scoped_lock lock(request().mutex);
      request().wanted = false;
    }
    try {
      runHostFunctions(driver);
    } catch (const std::exception& problem) {
      // no call is there to answer: the finding is all that tells of it
      driver.report("failed launch", CUDA_ERROR_UNKNOWN, std::string("the simulation failed: ") + problem.what());
    }
  }
}

} // namespace

bool callsHost(const Work& work) {
  if (const auto* graph = std::get_if<GraphWork>(&work.any())) {
    return std::any_of(graph->nodes.begin(), graph->nodes.end(),
                       [](const GraphWork::Node& node) { return callsHost(*node.work); });
  }
  return std::holds_alternative<HostWork>(work.any());
}

void noteCall() { calls.fetch_add(1, std::memory_order_relaxed); }

void expectHostFunction(Driver& driver) {
  static const bool started = [&] {
    std::thread([&driver] { serve(driver); }).detach();
    return true;
  }();
  (void)started;
  {
    const std::scoped_lock lock(request().mutex);
    request().wanted = true;
  }
  request().changed.notify_one();
}

} // namespace simgpu::driver
