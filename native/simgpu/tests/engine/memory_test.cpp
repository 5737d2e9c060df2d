#include "memory/device_memory.h"

#include "check.h"

#include <cstring>
#include <vector>

namespace simgpu::testing {

namespace {

constexpr std::uint64_t capacity = 1 << 20;

} // namespace

TEST("device addresses are host addresses, aligned to 512 bytes and apart") {
  DeviceMemory memory(capacity);
  const DeviceAddress a = memory.allocate(100, AllocationKind::user);
  const DeviceAddress b = memory.allocate(100, AllocationKind::user);
  CHECK_EQUAL(a % 512, 0u);
  CHECK(b >= a + 512);
  const int value = 42;
  CHECK_EQUAL(memory.copyIn(a, &value, sizeof value), MemoryStatus::ok);
  int seen = 0;
  std::memcpy(&seen, reinterpret_cast<const void*>(a), sizeof seen);
  CHECK_EQUAL(seen, 42);
}

TEST("capacity is a limit that frees give back") {
  DeviceMemory memory(capacity);
  const DeviceAddress a = memory.allocate(capacity, AllocationKind::user);
  CHECK(a != 0);
  CHECK_EQUAL(memory.allocate(1, AllocationKind::user), 0u);
  CHECK_EQUAL(memory.free(a), MemoryStatus::ok);
  CHECK_EQUAL(memory.used(), 0u);
  CHECK(memory.allocate(capacity, AllocationKind::user) != 0);
  CHECK_EQUAL(memory.allocate(0, AllocationKind::user), 0u);
  CHECK_EQUAL(memory.allocate(~std::uint64_t{0}, AllocationKind::user), 0u);
}

TEST("copies beyond an allocation move nothing") {
  DeviceMemory memory(capacity);
  const DeviceAddress a = memory.allocate(8, AllocationKind::user);
  const std::vector<char> data(16, 'x');
  std::vector<char> out(16, 'y');
  CHECK_EQUAL(memory.copyIn(a, data.data(), 8), MemoryStatus::ok);
  CHECK_EQUAL(memory.copyIn(a + 4, data.data(), 8), MemoryStatus::outOfBounds);
  CHECK_EQUAL(memory.copyOut(out.data(), a, 9), MemoryStatus::outOfBounds);
  CHECK_EQUAL(out[0], 'y');
  CHECK_EQUAL(memory.copyOut(out.data(), 16, 1), MemoryStatus::unknown);
  CHECK_EQUAL(memory.copyWithin(a, a + 8, 1), MemoryStatus::unknown);
  CHECK_EQUAL(memory.fill(a, data.data(), 4, 3), MemoryStatus::outOfBounds);
  CHECK_EQUAL(memory.copyIn(a, data.data(), 0), MemoryStatus::ok);
}

TEST("freed memory is known as freed, has lost its contents, and is not freed twice") {
  DeviceMemory memory(capacity);
  const DeviceAddress a = memory.allocate(100, AllocationKind::user);
  const char byte = 'x';
  memory.fill(a, &byte, 1, 100);
  CHECK_EQUAL(memory.free(a + 4), MemoryStatus::notBase);
  const std::uint64_t generation = memory.generation();
  CHECK_EQUAL(memory.free(a), MemoryStatus::ok);
  CHECK(memory.generation() != generation);
  CHECK_EQUAL(memory.check(a, 1), MemoryStatus::freed);
  CHECK_EQUAL(memory.free(a), MemoryStatus::freed);
  CHECK_EQUAL(memory.free(a + 4096), MemoryStatus::unknown);
  CHECK_EQUAL(*reinterpret_cast<const char*>(a), '\0');
  CHECK(memory.find(a)->describe().find("freed") != std::string::npos);
}

TEST("writing initialises bytes, and copying carries the state along") {
  DeviceMemory memory(capacity);
  const DeviceAddress a = memory.allocate(64, AllocationKind::user);
  const DeviceAddress b = memory.allocate(64, AllocationKind::user);
  const std::vector<char> data(10);
  memory.copyIn(a, data.data(), 10);
  DeviceAddress bad = 0;
  CHECK(memory.initialised(a, 10));
  CHECK(!memory.initialised(a, 11, &bad));
  CHECK_EQUAL(bad, a + 10);
  CHECK_EQUAL(memory.copyWithin(b, a, 20), MemoryStatus::ok);
  CHECK(memory.initialised(b, 10));
  CHECK(!memory.initialised(b, 11));
}

TEST("leaks are listed by owner in the order of allocation") {
  DeviceMemory memory(capacity);
  const DeviceAddress a = memory.allocate(1, AllocationKind::user, 7, "first");
  memory.allocate(2, AllocationKind::user, 8);
  memory.allocate(3, AllocationKind::user, 7, "third");
  CHECK_EQUAL(memory.live(7).size(), std::size_t{2});
  CHECK_EQUAL(memory.live(7)[0].label, std::string("first"));
  CHECK_EQUAL(memory.live(7)[1].label, std::string("third"));
  memory.free(a);
  CHECK_EQUAL(memory.live(7).size(), std::size_t{1});
  memory.freeOwned(7, AllocationKind::user);
  CHECK_EQUAL(memory.live().size(), std::size_t{1});
}

} // namespace simgpu::testing
