#include "driver/host_guard.h"

#include "memory/simulation_thread.h"

#include <array>
#include <atomic>
#include <csignal>
#include <sys/mman.h>

namespace simgpu::driver {
namespace {

constexpr std::uint64_t page = 4096;

/** What the handler looks at: written before the pages are made inaccessible. */
struct Slot {
  std::atomic<bool> taken{false};
  std::atomic<std::uint64_t> begin{0};
  std::atomic<std::uint64_t> end{0};
  std::atomic<std::uint64_t> touched{0};
};

std::array<Slot, 256> slots;
std::atomic<std::uint64_t> regionBegin{0}; // of the device's memory
std::atomic<std::uint64_t> regionEnd{0};
struct sigaction previous;

void open(std::uint64_t begin, std::uint64_t end) {
  mprotect(reinterpret_cast<void*>(begin), end - begin, PROT_READ | PROT_WRITE);
}

void passOn(int signal, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler == SIG_DFL) {
    std::signal(signal, SIG_DFL); // the access faults again and ends the process
  } else if (previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  }
}

void onFault(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<std::uint64_t>(info->si_addr);
  if (address < regionBegin.load() || address >= regionEnd.load()) {
    passOn(signal, info, context);
    return;
  }
  for (Slot& slot : slots) {
    const std::uint64_t begin = slot.begin.load();
    const std::uint64_t end = slot.end.load();
    if (address < begin || address >= end) continue;
    std::uint64_t none = 0;
    if (insideSimulation == 0) slot.touched.compare_exchange_strong(none, address);
    open(begin, end);
    return;
  }
  // lifted since; the device's memory is accessible everywhere else
  open(address / page * page, address / page * page + page);
}

void installHandler() {
  static const bool installed = [] {
    struct sigaction action {};
    sigaction(SIGSEGV, nullptr, &previous);
    action.sa_sigaction = onFault;
    action.sa_mask = previous.sa_mask;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    return sigaction(SIGSEGV, &action, nullptr) == 0;
  }();
  (void)installed;
}

} // namespace

std::shared_ptr<HostGuard> HostGuard::over(const DeviceMemory& memory, std::uint64_t address, std::uint64_t bytes) {
  const std::optional<Allocation> allocation = memory.find(address);
  if (!allocation) return nullptr; // registered memory, whose pages hold other things as well
  // a page counts when what it holds of the allocation is all in the destination
  const bool fromStart = address == allocation->base && address % page == 0;
  const bool toEnd = address + bytes == allocation->base + allocation->size;
  const std::uint64_t begin = fromStart ? address : (address + page - 1) / page * page;
  const std::uint64_t end = (toEnd ? address + bytes + page - 1 : address + bytes) / page * page;
  if (begin >= end) return nullptr;
  installHandler();
  regionBegin = memory.begin();
  regionEnd = memory.end();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].taken.exchange(true)) continue;
    slots[i].touched = 0;
    slots[i].begin = begin;
    slots[i].end = end;
    mprotect(reinterpret_cast<void*>(begin), end - begin, PROT_NONE);
    return std::shared_ptr<HostGuard>(new HostGuard(i));
  }
  return nullptr;
}

std::uint64_t HostGuard::lift() {
  if (lifted_) return 0;
  lifted_ = true;
  Slot& slot = slots[slot_];
  open(slot.begin, slot.end);
  slot.begin = 0;
  slot.end = 0;
  const std::uint64_t touched = slot.touched;
  slot.taken = false;
  return touched;
}

} // namespace simgpu::driver
