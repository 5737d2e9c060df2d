#include "exec/access.h"

#include "exec/address_space.h"
#include "exec/block.h"
#include "exec/decoder.h"
#include "exec/worker.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace simgpu {

namespace {

using ptx::Space;

[[noreturn]] void fault(Warp& warp, const Op& op, int lane, FindingKind kind, Status status, std::uint64_t address,
                        std::string detail, std::string allocation) {
  Finding finding = warp.launch.locate(kind, status, warp, op, lane);
  finding.address = address;
  finding.detail = std::move(detail);
  finding.allocation = std::move(allocation);
  warp.launch.fail(std::move(finding));
}

std::string verb(const Access& access) {
  return std::to_string(access.bytes) + "-byte " +
         (access.intent == Intent::read ? "read" : access.intent == Intent::write ? "write" : "atomic");
}

void checkAlignment(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses,
                    const Access& access, const char* space) {
  std::uint64_t low = 0;
  forEachLane(mask, [&](int lane) { low |= addresses[static_cast<std::size_t>(lane)]; });
  if ((low & (access.alignment - 1)) == 0) {
    return;
  }
  forEachLane(mask, [&](int lane) {
    const std::uint64_t address = addresses[static_cast<std::size_t>(lane)];
    if ((address & (access.alignment - 1)) != 0) {
      fault(warp, op, lane, FindingKind::misaligned, Status::misalignedAddress, address,
            verb(access) + " of " + space + " memory not aligned to " + std::to_string(access.alignment), {});
    }
  });
}

// ---- global

[[noreturn]] void faultGlobal(Warp& warp, const Op& op, int lane, std::uint64_t address, const Access& access) {
  const bool freed = warp.launch.memory.check(address, 1) == MemoryStatus::freed;
  fault(warp, op, lane, freed ? FindingKind::useAfterFree : FindingKind::outOfBounds, Status::illegalAddress, address,
        verb(access) + " of global memory", warp.launch.describeAddress(address));
}

/** Whether [low, end) lies in the allocation the operation hit last. */
AllocationCache::Entry& cacheEntry(Warp& warp, const Op& op) {
  const auto index = static_cast<std::size_t>(&op - warp.launch.code->ops.data());
  return warp.worker.cache.entry[index % AllocationCache::entries];
}

void checkBounds(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses, const Access& access) {
  AllocationCache::Entry& entry = cacheEntry(warp, op);
  const std::uint64_t generation = warp.launch.memory.generation();
  std::uint64_t low = ~std::uint64_t{0};
  std::uint64_t high = 0;
  forEachLane(mask, [&](int lane) {
    low = std::min(low, addresses[static_cast<std::size_t>(lane)]);
    high = std::max(high, addresses[static_cast<std::size_t>(lane)]);
  });
  if (entry.generation == generation && low >= entry.base && high < entry.end && entry.end - high >= access.bytes) {
    return;
  }
  forEachLane(mask, [&](int lane) {
    const std::uint64_t address = addresses[static_cast<std::size_t>(lane)];
    if (entry.generation == generation && address >= entry.base && address < entry.end &&
        entry.end - address >= access.bytes) {
      return;
    }
    const auto allocation = warp.launch.memory.find(address);
    if (!allocation || allocation->freed || !allocation->contains(address, access.bytes)) {
      faultGlobal(warp, op, lane, address, access);
    }
    entry = {allocation->base, allocation->base + allocation->size, generation};
  });
}

/** Whether all of `bytes` shadow bytes say "written"; the usual sizes as one comparison. */
bool allWritten(const std::uint8_t* shadow, std::uint32_t bytes) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  std::uint64_t words[2] = {ones, ones};
  if (bytes == 4) {
    std::memcpy(words, shadow, 4);
  } else if (bytes == 8) {
    std::memcpy(words, shadow, 8);
  } else if (bytes == 16) {
    std::memcpy(words, shadow, 16);
  } else {
    return std::all_of(shadow, shadow + bytes, [](std::uint8_t each) { return each == byteWritten; });
  }
  return ((words[0] & words[1]) & ones) == ones;
}

void checkInitialised(Warp& warp, const Op& op, int lane, std::uint64_t address, const Access& access) {
  const std::uint8_t* shadow = warp.launch.memory.initialisedShadow(address);
  if (allWritten(shadow, access.bytes)) {
    return;
  }
  std::uint32_t missing = 0;
  for (std::uint32_t i = 0; i < access.bytes; i++) {
    missing |= static_cast<std::uint32_t>(shadow[i] != byteWritten) << (i & 31);
  }
  if ((missing & access.usedBytes) == 0) {
    return;
  }
  missing &= access.usedBytes;
  const auto describe = [&] {
    const auto first = static_cast<std::uint32_t>(std::countr_zero(missing));
    Finding finding = warp.launch.locate(FindingKind::uninitialisedRead, Status::launchFailed, warp, op, lane);
    finding.address = address + first;
    finding.detail = "nobody wrote this global byte";
    finding.allocation = warp.launch.describeAddress(address);
    if (holdsUnwrittenValue(shadow[first])) { // the defect is where the value comes from
      Finding origin = warp.launch.memory.unwrittenValues().origin(shadow[first]);
      origin.detail += "; line " + std::to_string(finding.line) + " of kernel " + finding.kernel + " (" +
                       finding.instruction + ") reads it from " + finding.allocation;
      return origin;
    }
    return finding;
  };
  forEachLane(missing, [&](int byte) {
    warp.suspect(op, lane, static_cast<std::uint32_t>(byte), FindingKind::uninitialisedRead, describe);
  });
}

void markWritten(Warp& warp, std::uint32_t mask, const LaneAddresses& addresses, std::uint32_t bytes) {
  forEachLane(mask, [&](int lane) {
    std::memset(warp.launch.memory.initialisedShadow(addresses[static_cast<std::size_t>(lane)]), 1, bytes);
  });
}

void resolveGlobal(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses, const Access& access,
                   LanePointers& pointers) {
  checkAlignment(warp, op, mask, addresses, access, "global");
  checkBounds(warp, op, mask, addresses, access);
  if (warp.launch.settings.checks && access.intent != Intent::write) {
    forEachLane(mask, [&](int lane) {
      checkInitialised(warp, op, lane, addresses[static_cast<std::size_t>(lane)], access);
    });
  }
  if (access.intent != Intent::read) {
    markWritten(warp, mask, addresses, access.bytes);
    if (!warp.suspects().empty()) {
      warp.suspects().keepStored(warp, op, mask, addresses, access.bytes);
    }
  }
  if (warp.launch.settings.countTraffic) {
    countGlobal(warp, mask, addresses, access.bytes, access.intent);
  }
  if (warp.launch.recordAccesses) {
    recordGlobal(warp, mask, addresses, access);
  }
  for (std::size_t lane = 0; lane < lanesPerWarp; lane++) {
    pointers[lane] = reinterpret_cast<std::byte*>(addresses[lane]);
  }
}

// ---- shared

SharedAccess sharedKind(const Access& access) {
  if (access.intent == Intent::read) {
    return access.strong ? SharedAccess::strongRead : SharedAccess::read;
  }
  return access.strong || access.intent == Intent::atomic ? SharedAccess::strongWrite : SharedAccess::write;
}

void checkSharedBounds(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses,
                       const Access& access) {
  const LaunchContext& launch = warp.launch;
  forEachLane(mask, [&](int lane) {
    const std::uint64_t address = addresses[static_cast<std::size_t>(lane)];
    const bool inOwn = address <= launch.sharedBytes && access.bytes <= launch.sharedBytes - address;
    const bool inReserved = warp.block.usesReservedShared && address >= launch.reservedShared &&
                            address <= launch.sharedTotal && access.bytes <= launch.sharedTotal - address;
    if (!inOwn && !inReserved) {
      fault(warp, op, lane, FindingKind::outOfBounds, Status::illegalAddress, sharedWindow + address,
            verb(access) + " of shared memory at offset " + std::to_string(address),
            "shared memory of the block, " + std::to_string(launch.sharedBytes) + " bytes");
    }
  });
}

void resolveSharedAll(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses,
                      const Access& access, LanePointers& pointers) {
  checkAlignment(warp, op, mask, addresses, access, "shared");
  checkSharedBounds(warp, op, mask, addresses, access);
  std::byte* shared = warp.block.shared();
  forEachLane(mask, [&](int lane) {
    const std::uint64_t address = addresses[static_cast<std::size_t>(lane)];
    pointers[static_cast<std::size_t>(lane)] = shared + address;
  });
  if (warp.block.shadow.enabled()) {
    const SharedAccess kind = sharedKind(access);
    forEachLane(mask, [&](int lane) {
      const std::uint64_t address = addresses[static_cast<std::size_t>(lane)];
      warp.block.shadow.access(warp, op, lane, static_cast<std::uint32_t>(address), access.bytes, kind,
                               access.usedBytes);
    });
    if (kind == SharedAccess::write) {
      warp.overwriteReads(op, mask, addresses, access.bytes);
      warp.laneRaces.write(warp, op, mask, addresses, access.bytes);
    } else if (kind == SharedAccess::read) {
      warp.laneRaces.read(warp, op, mask, addresses, access);
      warp.noteSharedRead(op, mask, addresses, access.bytes);
    }
  }
  if (warp.launch.settings.countTraffic) {
    countShared(warp, mask, addresses, access.bytes);
  }
}

// ---- local and param

/** Checks a read of local memory against what was written, or notes a write. */
void noteLocal(Warp& warp, const Op& op, int lane, std::uint32_t address, const Access& access) {
  std::uint8_t* written = warp.localWritten(lane) + address;
  if (access.intent == Intent::read) {
    for (std::uint32_t i = 0; i < access.bytes; i++) {
      if (written[i] == localByteWritten || (i < 32 && (access.usedBytes >> i & 1) == 0)) {
        continue;
      }
      if (written[i] >= firstLocalOrigin) {
        warp.suspectReloaded(op, lane, i, written[i]);
      } else {
        warp.suspect(op, lane, i, FindingKind::uninitialisedRead, [&] {
          Finding finding = warp.launch.locate(FindingKind::uninitialisedRead, Status::launchFailed, warp, op, lane);
          finding.address = localWindow + address + i;
          finding.detail = "nobody wrote this local byte";
          finding.allocation = "local memory of the thread";
          return finding;
        });
      }
    }
    return;
  }
  for (std::uint32_t i = 0; i < access.bytes; i++) {
    // a suspect value stays one on its way through memory
    written[i] = warp.suspects().empty() ? localByteWritten : warp.suspects().localMark(warp, op, lane, i);
  }
}

void resolveLocal(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses, const Access& access,
                  LanePointers& pointers) {
  checkAlignment(warp, op, mask, addresses, access, "local");
  const std::uint64_t limit = warp.localLimit();
  forEachLane(mask, [&](int lane) {
    const std::uint64_t address = addresses[static_cast<std::size_t>(lane)];
    if (address > limit || access.bytes > limit - address) {
      fault(warp, op, lane, FindingKind::outOfBounds, Status::illegalAddress, localWindow + address,
            verb(access) + " of local memory at offset " + std::to_string(address),
            "local memory of the thread, " + std::to_string(limit) + " bytes");
    }
    pointers[static_cast<std::size_t>(lane)] = warp.local(lane) + address;
    if (warp.localWritten(lane) != nullptr) {
      noteLocal(warp, op, lane, static_cast<std::uint32_t>(address), access);
    }
  });
}

void resolveParameters(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses,
                       const Access& access, LanePointers& pointers) {
  checkAlignment(warp, op, mask, addresses, access, "parameter");
  const std::span<const std::byte> block = warp.launch.parameters;
  forEachLane(mask, [&](int lane) {
    const std::uint64_t address = addresses[static_cast<std::size_t>(lane)];
    if (access.intent != Intent::read) {
      fault(warp, op, lane, FindingKind::writeToConstant, Status::illegalAddress, paramWindow + address,
            verb(access) + " of a kernel parameter", {});
    }
    if (address > block.size() || access.bytes > block.size() - address) {
      fault(warp, op, lane, FindingKind::outOfBounds, Status::illegalAddress, paramWindow + address,
            verb(access) + " of parameters at offset " + std::to_string(address),
            "kernel parameters, " + std::to_string(block.size()) + " bytes");
    }
    // the pointer is only read through: writes were refused above
    pointers[static_cast<std::size_t>(lane)] = const_cast<std::byte*>(block.data()) + address;
  });
}

/** Splits the lanes by the window their addresses are in, and resolves each part. */
void resolveWindows(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses,
                    const Access& access, LanePointers& pointers, bool plainIsParameter) {
  std::uint32_t shared = 0;
  std::uint32_t local = 0;
  std::uint32_t parameter = 0;
  LaneAddresses offsets;
  forEachLane(mask, [&](int lane) {
    const std::uint64_t address = addresses[static_cast<std::size_t>(lane)];
    const std::uint32_t bit = 1u << lane;
    shared |= inWindow(address, sharedWindow) ? bit : 0;
    local |= inWindow(address, localWindow) ? bit : 0;
    parameter |= inWindow(address, paramWindow) || (plainIsParameter && address >> 32 == 0) ? bit : 0;
  });
  const std::uint32_t global = mask & ~(shared | local | parameter);
  if (global == mask) {
    resolveGlobal(warp, op, mask, addresses, access, pointers);
    return;
  }
  for (std::size_t lane = 0; lane < lanesPerWarp; lane++) {
    offsets[lane] = addresses[lane] & 0xffffffff;
  }
  LanePointers part{};
  const auto merge = [&](std::uint32_t lanes) {
    forEachLane(lanes, [&](int lane) { pointers[static_cast<std::size_t>(lane)] = part[static_cast<std::size_t>(lane)]; });
  };
  if (shared != 0) {
    resolveSharedAll(warp, op, shared, offsets, access, part);
    merge(shared);
  }
  if (local != 0) {
    resolveLocal(warp, op, local, offsets, access, part);
    merge(local);
  }
  if (parameter != 0) {
    resolveParameters(warp, op, parameter, offsets, access, part);
    merge(parameter);
  }
  if (global != 0) {
    resolveGlobal(warp, op, global, addresses, access, part);
    merge(global);
  }
}

} // namespace

void laneAddresses(Warp& warp, const Op& op, LaneAddresses& addresses) {
  if ((op.flags & addressAbsolute) != 0) {
    addresses.fill(op.imm);
  } else if ((op.flags & addressFrame) != 0) {
    addresses.fill(warp.frame().localBase + op.imm);
  } else if ((op.flags & addressNarrow) != 0) {
    const auto* base = warp.slot<std::uint32_t>(op.a);
    const auto offset = static_cast<std::uint32_t>(op.imm);
    for (std::size_t lane = 0; lane < lanesPerWarp; lane++) {
      addresses[lane] = base[lane] + offset;
    }
  } else {
    const auto* base = warp.slot<std::uint64_t>(op.a);
    for (std::size_t lane = 0; lane < lanesPerWarp; lane++) {
      addresses[lane] = base[lane] + op.imm;
    }
  }
}

void resolve(Warp& warp, const Op& op, std::uint32_t mask, Space space, const LaneAddresses& addresses,
             const Access& access, LanePointers& pointers) {
  switch (space) {
  case Space::global:
  case Space::constant:
    resolveGlobal(warp, op, mask, addresses, access, pointers);
    break;
  case Space::shared: {
    // addresses of shared memory have 32 bits; generic ones in the window mean the same
    LaneAddresses offsets = addresses;
    for (std::uint64_t& offset : offsets) {
      offset = inWindow(offset, sharedWindow) ? offset & 0xffffffff : offset;
    }
    resolveSharedAll(warp, op, mask, offsets, access, pointers);
    break;
  }
  case Space::local: {
    LaneAddresses offsets = addresses;
    for (std::uint64_t& offset : offsets) {
      offset = inWindow(offset, localWindow) ? offset & 0xffffffff : offset;
    }
    resolveLocal(warp, op, mask, offsets, access, pointers);
    break;
  }
  case Space::param:
    resolveWindows(warp, op, mask, addresses, access, pointers, true);
    break;
  case Space::generic:
    resolveWindows(warp, op, mask, addresses, access, pointers, false);
    break;
  }
}

std::byte* resolveShared(Warp& warp, const Op& op, int lane, std::uint64_t address, const Access& access) {
  const LaunchContext& launch = warp.launch;
  const bool inside = address <= launch.sharedBytes && access.bytes <= launch.sharedBytes - address;
  if (!inside || (address & (access.alignment - 1)) != 0) {
    LaneAddresses addresses{};
    addresses[static_cast<std::size_t>(lane)] = address;
    checkAlignment(warp, op, 1u << lane, addresses, access, "shared");
    checkSharedBounds(warp, op, 1u << lane, addresses, access);
  }
  return warp.block.shared() + address;
}

bool isGlobal(const Warp& warp, const std::byte* pointer) {
  return warp.launch.memory.covers(reinterpret_cast<DeviceAddress>(pointer));
}

} // namespace simgpu
