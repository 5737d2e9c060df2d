// Host threads that run the parts of launches; they stay for the next launch.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <latch>
#include <mutex>

namespace simgpu {

class ThreadPool {
public:
  /** The process's pool. Never destroyed: its threads may outlive everything else. */
  static ThreadPool& shared();

  /**
   * Calls work(0) to work(count - 1), each on a thread of its own and all at the same time, work(0) on the calling one;
   * parts of a launch wait for each other, so none may queue behind another. Returns when all have; throws what the
   * first that failed threw. May be called from several threads.
   */
  void run(std::uint32_t count, const std::function<void(std::uint32_t)>& work);

private:
  struct Job {
    std::function<void()> work;
    std::latch* done;
  };

  void serve();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::size_t idle_ = 0; // threads that wait for a job
};

} // namespace simgpu
