#include "exec/shared_shadow.h"

#include "exec/address_space.h"
#include "exec/block.h"
#include "exec/store_value.h"
#include "exec/warp.h"

#include <algorithm>
#include <bit>

namespace simgpu {

namespace {

enum Flags : std::uint32_t { written = 1, strong = 2, pending = 4, torn = 8 };

constexpr int timeShift = 16;
constexpr int warpShift = 8;

std::uint32_t writeEntry(std::uint32_t time, std::uint32_t warp, std::uint32_t flags) {
  return time << timeShift | warp << warpShift | flags;
}
std::uint32_t timeOf(std::uint32_t entry) { return entry >> timeShift; }
std::uint32_t warpOf(std::uint32_t entry) { return entry >> warpShift & 0xff; }

bool isWrite(SharedAccess kind) { return kind == SharedAccess::write || kind == SharedAccess::strongWrite; }
bool isStrong(SharedAccess kind) { return kind == SharedAccess::strongRead || kind == SharedAccess::strongWrite; }

} // namespace

void SharedShadow::reset(std::uint32_t bytes) {
  writes_.assign(bytes, 0);
  readers_.assign(bytes, 0);
  readTimes_.assign(bytes, 0);
  torn_.clear();
  carried_.clear();
  origins_.clear();
}

void SharedShadow::forgetTimes() {
  for (std::uint32_t& entry : writes_) {
    entry &= (1u << timeShift) - 1;
  }
  std::fill(readers_.begin(), readers_.end(), 0);
  std::fill(readTimes_.begin(), readTimes_.end(), 0);
}

/** Whether none of the bytes can give a finding: the common case. Bytes 0 stands for a size only known at run time. */
template <std::uint32_t Bytes>
bool SharedShadow::quick(const Warp& warp, std::uint32_t offset, std::uint32_t bytes, SharedAccess kind) const {
  const std::uint32_t size = Bytes != 0 ? Bytes : bytes;
  const std::uint32_t me = 1u << warp.index();
  const std::uint32_t index = warp.index();
  const std::uint32_t acquired = warp.acquired;
  const std::uint32_t* writes = writes_.data() + offset;
  const std::uint32_t* readers = readers_.data() + offset;
  const std::uint32_t* readTimes = readTimes_.data() + offset;
  std::uint32_t conflict = 0;
  // no short circuits in these loops: they are to become vector operations
  if (isWrite(kind)) {
    for (std::uint32_t i = 0; i < size; i++) {
      // another warp touched the byte at or after this warp's last acquire
      const bool read = bool((readers[i] & ~me) != 0) & bool(readTimes[i] >= acquired);
      const bool wrote = bool(warpOf(writes[i]) != index) & bool(timeOf(writes[i]) >= acquired);
      conflict |= std::uint32_t{read} | std::uint32_t{wrote} | (writes[i] & pending);
    }
  } else {
    for (std::uint32_t i = 0; i < size; i++) {
      const bool wrote = bool(warpOf(writes[i]) != index) & bool(timeOf(writes[i]) >= acquired);
      conflict |= std::uint32_t{wrote} | ((writes[i] & (written | pending | torn)) ^ written);
    }
  }
  return conflict == 0;
}

template <std::uint32_t Bytes>
void SharedShadow::note(const Warp& warp, std::uint32_t offset, std::uint32_t bytes, SharedAccess kind) {
  const std::uint32_t size = Bytes != 0 ? Bytes : bytes;
  const std::uint32_t now = warp.block.time;
  std::uint32_t* readers = readers_.data() + offset;
  std::uint32_t* readTimes = readTimes_.data() + offset;
  if (isWrite(kind)) {
    const std::uint32_t entry = writeEntry(now, warp.index(), written | (isStrong(kind) ? +strong : 0u));
    std::fill_n(writes_.data() + offset, size, entry);
    std::fill_n(readers, size, 0);
  } else if (kind != SharedAccess::strongRead) {
    const std::uint32_t me = 1u << warp.index();
    const std::uint32_t acquired = warp.acquired;
    for (std::uint32_t i = 0; i < size; i++) {
      // reads from before this warp's last acquire are ordered before whatever this warp's reads are
      const bool stale = readers[i] == 0 || readTimes[i] < acquired;
      readers[i] = stale ? me : readers[i] | me;
      readTimes[i] = stale ? now : readTimes[i];
    }
  }
}

template <std::uint32_t Bytes>
void SharedShadow::accessBytes(Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes,
                               SharedAccess kind, std::uint32_t usedBytes) {
  bool good = true;
  if (!quick<Bytes>(warp, offset, bytes, kind)) {
    for (std::uint32_t i = 0; i < bytes; i++) {
      if (i >= 32 || (usedBytes >> i & 1) != 0) {
        good &= slow(warp, op, lane, offset + i, i, kind);
      }
    }
  }
  if (good) { // a read that is suspect already makes no race with later writes
    note<Bytes>(warp, offset, bytes, kind);
  }
  if (isWrite(kind) && !warp.suspects().empty()) {
    carry(warp, op, lane, offset, bytes);
  }
}

/** A suspect value stays one on its way through shared memory, and what is said of it names where it began. */
void SharedShadow::carry(const Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes) {
  for (std::uint32_t i = 0; i < bytes; i++) {
    if ((warp.suspects().stored(warp, op, i) >> lane & 1) == 0) {
      continue;
    }
    writes_[offset + i] &= ~std::uint32_t{written};
    const Finding& origin = warp.suspects().findingOfStored(warp, op, i);
    const auto known = std::find_if(origins_.begin(), origins_.end(), [&](const Finding& each) {
      return each.line == origin.line && each.kind == origin.kind && each.warp == origin.warp;
    });
    carried_[offset + i] = static_cast<std::uint32_t>(known - origins_.begin());
    if (known == origins_.end()) {
      origins_.push_back(origin);
    }
  }
}

void SharedShadow::access(Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes,
                          SharedAccess kind, std::uint32_t usedBytes) {
  if (!enabled()) {
    return;
  }
  switch (bytes) {
  case 4:
    accessBytes<4>(warp, op, lane, offset, bytes, kind, usedBytes);
    break;
  case 8:
    accessBytes<8>(warp, op, lane, offset, bytes, kind, usedBytes);
    break;
  case 16:
    accessBytes<16>(warp, op, lane, offset, bytes, kind, usedBytes);
    break;
  default:
    accessBytes<0>(warp, op, lane, offset, bytes, kind, usedBytes);
  }
}

bool SharedShadow::slow(Warp& warp, const Op& op, int lane, std::uint32_t address, std::uint32_t byte,
                        SharedAccess kind) {
  if (!isWrite(kind)) {
    return slowRead(warp, op, lane, address, byte, kind);
  }
  // several warps that write the same value, a flag say, do no harm
  const bool changes = storedByte(warp, op, lane, byte) != std::to_integer<std::uint8_t>(warp.block.shared()[address]);
  if (changes || (writes_[address] & (written | pending)) != written) {
    slowWrite(warp, op, lane, address, kind);
  }
  return true;
}

Finding describeShared(const Warp& warp, const Op& op, int lane, std::uint32_t address, FindingKind kind,
                       std::string detail) {
  Finding finding = warp.launch.locate(kind, Status::launchFailed, warp, op, lane);
  finding.address = sharedWindow + address;
  finding.allocation = "shared memory of the block";
  finding.detail = std::move(detail);
  return finding;
}

namespace {

/** The other warp released after its access, and this one acquired after that. */
bool ordered(const Warp& warp, std::uint32_t other, std::uint32_t when) {
  return warp.acquired > when && warp.block.warps[other]->released > when;
}

} // namespace

/** Whether another warp wrote the byte and nothing orders that write before this access. */
bool SharedShadow::unordered(const Warp& warp, std::uint32_t address, SharedAccess kind) const {
  const std::uint32_t entry = writes_[address];
  const bool bothStrong = isStrong(kind) && (entry & strong) != 0;
  return (entry & written) != 0 && warpOf(entry) != warp.index() && timeOf(entry) > 0 && !bothStrong &&
         !ordered(warp, warpOf(entry), timeOf(entry));
}

bool SharedShadow::slowRead(Warp& warp, const Op& op, int lane, std::uint32_t address, std::uint32_t byte,
                            SharedAccess kind) {
  const std::uint32_t entry = writes_[address];
  const auto suspect = [&](FindingKind findingKind, const std::string& detail) {
    warp.suspect(op, lane, byte, findingKind, [&] { return describeShared(warp, op, lane, address, findingKind, detail); });
    return false;
  };
  if ((entry & pending) != 0) {
    return suspect(FindingKind::pendingCopy, "a cp.async to this byte has not been waited for");
  }
  const auto carried = (entry & written) == 0 ? carried_.find(address) : carried_.end();
  if (carried != carried_.end()) {
    const Finding& origin = origins_[carried->second];
    warp.suspect(op, lane, byte, origin.kind, [&] {
      Finding finding = origin;
      finding.detail += "; it went through shared memory, where " + warp.launch.code->describe(op) + " read it";
      return finding;
    });
    return false;
  }
  if ((entry & written) == 0) {
    return suspect(FindingKind::uninitialisedRead, "nobody wrote this shared byte");
  }
  if ((entry & torn) != 0) {
    return suspect(FindingKind::sharedRace, torn_.at(address));
  }
  if (unordered(warp, address, kind)) {
    return suspect(FindingKind::sharedRace, "warp " + std::to_string(warpOf(entry)) +
                                                " wrote the byte and no barrier came between");
  }
  return true;
}

void SharedShadow::slowWrite(Warp& warp, const Op& op, int lane, std::uint32_t address, SharedAccess kind) {
  const std::uint32_t entry = writes_[address];
  LaunchContext& launch = warp.launch;
  if ((entry & pending) != 0) {
    launch.report(describeShared(warp, op, lane, address, FindingKind::pendingCopy,
                           "a cp.async to this byte has not been waited for"));
    return;
  }
  if (unordered(warp, address, kind)) {
    launch.report(describeShared(warp, op, lane, address, FindingKind::sharedRace,
                           "warp " + std::to_string(warpOf(entry)) + " wrote the byte and no barrier came between"));
    return;
  }
  // strong reads are not among the readers
  for (std::uint32_t others = readers_[address] & ~(1u << warp.index()); others != 0; others &= others - 1) {
    const auto reader = static_cast<std::uint32_t>(std::countr_zero(others));
    if (ordered(warp, reader, readTimes_[address])) {
      continue;
    }
    const auto race = [&] {
      return describeShared(warp, op, lane, address, FindingKind::sharedRace,
                      "warp " + std::to_string(reader) + " read the byte and no barrier came between");
    };
    if (!warp.block.warps[reader]->overwrites(address, readTimes_[address], race)) {
      launch.report(race());
      return;
    }
  }
}

void SharedShadow::markPending(Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes) {
  if (!enabled()) {
    return;
  }
  // the copy may land at any moment from now on, so it must not meet readers of what was there
  const bool harmless = bytes == 16 ? quick<16>(warp, offset, bytes, SharedAccess::write)
                                    : quick<0>(warp, offset, bytes, SharedAccess::write);
  if (!harmless) {
    for (std::uint32_t i = 0; i < bytes; i++) {
      slow(warp, op, lane, offset + i, i, SharedAccess::write);
    }
  }
  for (std::uint32_t i = 0; i < bytes; i++) {
    writes_[offset + i] |= pending;
  }
}

void SharedShadow::completePending(Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes) {
  if (!enabled()) {
    return;
  }
  for (std::uint32_t i = 0; i < bytes; i++) {
    writes_[offset + i] &= ~std::uint32_t{pending};
  }
  access(warp, op, lane, offset, bytes, SharedAccess::write);
}

void SharedShadow::markTorn(std::uint32_t address, const std::string& why) {
  if ((writes_[address] & torn) == 0) { // the first reason will do
    writes_[address] |= torn;
    torn_[address] = why;
  }
}

void SharedShadow::markStrong(Warp& warp, std::uint32_t offset, std::uint32_t bytes) {
  if (enabled()) {
    std::fill_n(writes_.data() + offset, bytes, writeEntry(warp.block.time, warp.index(), written | strong));
    std::fill_n(readers_.data() + offset, bytes, 0);
  }
}

} // namespace simgpu
