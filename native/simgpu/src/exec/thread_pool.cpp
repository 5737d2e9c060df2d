#include "exec/thread_pool.h"

#include "memory/simulation_thread.h"

#include <exception>
#include <thread>

namespace simgpu {

ThreadPool& ThreadPool::shared() {
  static ThreadPool* const pool = new ThreadPool();
  return *pool;
}

void ThreadPool::run(std::uint32_t count, const std::function<void(std::uint32_t)>& work) {
  std::latch done(count - 1);
  std::exception_ptr failure;
  std::mutex failureMutex;
  const auto attempt = [&](std::uint32_t index) {
    try {
      work(index);
    } catch (...) {
      const std::lock_guard lock(failureMutex);
      if (failure == nullptr) failure = std::current_exception();
    }
  };
  {
    const std::lock_guard lock(mutex_);
    for (std::uint32_t i = 1; i < count; i++) {
      jobs_.push_back({[&, i] { attempt(i); }, &done});
    }
    for (; idle_ < jobs_.size(); idle_++) {
      std::thread([this] { serve(); }).detach();
    }
  }
  wake_.notify_all();
  attempt(0);
  done.wait();
  if (failure != nullptr) {
    std::rethrow_exception(failure);
  }
}

/** A thread counts as idle from before it exists until it takes a job. */
void ThreadPool::serve() {
  const InsideSimulation inside;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return !jobs_.empty(); });
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    idle_--;
    lock.unlock();
    job.work();
    lock.lock();
    idle_++; // before the caller goes on, which may want this thread at once
    job.done->count_down();
  }
}

} // namespace simgpu
