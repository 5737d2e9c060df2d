// The threads that run the parts of a launch.
#include "check.h"
#include "exec/thread_pool.h"

#include <barrier>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace simgpu;

TEST("parts run at the same time, each on a thread of its own, and the threads are used again") {
  static ThreadPool& pool = *new ThreadPool(); // its threads never end
  std::set<std::thread::id> all;
  for (int round = 0; round < 50; ++round) {
    std::barrier meeting(4); // would wait for ever if two parts shared a thread
    std::vector<std::thread::id> threads(4);
    pool.run(4, [&](std::uint32_t index) {
      meeting.arrive_and_wait();
      threads[index] = std::this_thread::get_id();
    });
    CHECK_EQUAL(std::set<std::thread::id>(threads.begin(), threads.end()).size(), std::size_t{4});
    CHECK_EQUAL(threads[0], std::this_thread::get_id());
    all.insert(threads.begin(), threads.end());
  }
  CHECK_EQUAL(all.size(), std::size_t{4});
}

TEST("several callers have threads of their own") {
  std::barrier meeting(6);
  const auto caller = [&] {
    for (int round = 0; round < 20; ++round) {
      ThreadPool::shared().run(3, [&](std::uint32_t) { meeting.arrive_and_wait(); });
    }
  };
  std::thread other(caller);
  caller();
  other.join();
  CHECK(true);
}

TEST("what a part throws reaches the caller after all have ended") {
  int ended = 0;
  std::string caught;
  try {
    ThreadPool::shared().run(2, [&](std::uint32_t index) {
      if (index == 1) throw std::runtime_error("part 1");
      ++ended;
    });
  } catch (const std::runtime_error& problem) {
    caught = problem.what();
  }
  CHECK_EQUAL(caught, std::string("part 1"));
  CHECK_EQUAL(ended, 1);
}
