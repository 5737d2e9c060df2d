// Races between blocks: two blocks of a launch write different values to the same bytes without synchronising.
//
// Every aligned word of global memory has a tag with the launch, the block and the bytes of its last plain write, and
// the time of that write on a clock that ticks with every fence of the launch. The write is ordered before another
// block's if its own block has fenced since, and the other block fenced after that. Through which variable the one saw
// that the other had is not traced, so a race can be missed, but what is ordered is never reported. Equal values are no
// defect (flags, padding), and atomics do not race.
#include "exec/access.h"
#include "exec/block.h"

#include <atomic>
#include <cstring>

namespace simgpu {

namespace {

// A tag, from the top: 20 bits of launch, 20 of block, 20 of clock, 4 of bytes.
constexpr std::uint64_t launchBits = 20;
constexpr std::uint64_t blockBits = 20; // blocksTraced
constexpr std::uint64_t clockBits = 20;

static_assert(blocksTraced == std::uint64_t{1} << blockBits);

std::uint64_t low(std::uint64_t value, std::uint64_t bits) { return value & ((std::uint64_t{1} << bits) - 1); }

} // namespace

void noteGlobalFence(Warp& warp) {
  if (warp.launch.settings.checks) {
    const std::uint32_t now = warp.launch.clock.fetch_add(1, std::memory_order_acq_rel) + 1;
    warp.launch.fences[warp.block.linear % blocksTraced].store(now, std::memory_order_release);
  }
}

void noteGlobalWrite(Warp& warp, const Op& op, int lane, std::byte* pointer, const void* value, std::uint32_t bytes) {
  const auto address = reinterpret_cast<DeviceAddress>(pointer);
  const LaunchContext& launch = warp.launch;
  const std::uint64_t now = launch.clock.load(std::memory_order_relaxed);
  const std::uint64_t launchId = low(launch.launchId, launchBits);
  const std::uint64_t block = low(warp.block.linear, blockBits);
  for (std::uint32_t done = 0; done < bytes;) {
    const std::uint32_t inWord = static_cast<std::uint32_t>((address + done) & 3);
    const std::uint32_t count = std::min(bytes - done, 4 - inWord);
    const std::uint64_t written = ((1u << count) - 1) << inWord;
    std::atomic_ref<std::uint64_t> tag(*launch.memory.writerShadow(address + done));
    const std::uint64_t old = tag.load(std::memory_order_relaxed);
    const std::uint64_t oldBlock = low(old >> (4 + clockBits), blockBits);
    if (old >> (4 + clockBits + blockBits) == launchId && oldBlock != block && (old & written) != 0 &&
        std::memcmp(pointer + done, static_cast<const std::byte*>(value) + done, count) != 0) {
      const std::uint64_t when = low(old >> 4, clockBits);
      // that block fenced after its write, and this one after that
      const bool ordered = launch.fences[oldBlock].load(std::memory_order_acquire) > when &&
                           launch.fences[block].load(std::memory_order_acquire) > when + 1;
      if (!ordered) {
        Finding finding = warp.launch.locate(FindingKind::blockRace, Status::launchFailed, warp, op, lane);
        finding.address = address + done;
        finding.detail = "block " + std::to_string(oldBlock) + " of this launch wrote another value there";
        finding.allocation = launch.describeAddress(address);
        warp.launch.report(std::move(finding));
      }
    }
    const std::uint64_t sameBlock = old >> (4 + clockBits) == (launchId << blockBits | block) ? old & 0xf : 0;
    tag.store(launchId << (4 + clockBits + blockBits) | block << (4 + clockBits) | low(now, clockBits) << 4 |
                  written | sameBlock,
              std::memory_order_relaxed);
    done += count;
  }
}

} // namespace simgpu
