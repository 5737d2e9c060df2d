#include "exec/shared_shadow.h"

#include "exec/address_space.h"
#include "exec/block.h"
#include "exec/warp.h"

#include <algorithm>
#include <bit>

namespace simgpu {

namespace {

enum Flags : std::uint8_t { written = 1, strong = 2, pending = 4 };

bool isWrite(SharedAccess kind) { return kind == SharedAccess::write || kind == SharedAccess::strongWrite; }
bool isStrong(SharedAccess kind) { return kind == SharedAccess::strongRead || kind == SharedAccess::strongWrite; }

} // namespace

void SharedShadow::reset(std::uint32_t bytes) { tags_.assign(bytes, Tag{}); }

void SharedShadow::forgetTimes() {
  for (Tag& tag : tags_) {
    tag.readers = 0;
    tag.readTime = 0;
    tag.writeTime = 0;
  }
}

/** Whether none of the bytes can give a finding, and how they must be marked is obvious: the common case. */
bool SharedShadow::quick(const Warp& warp, std::uint32_t offset, std::uint32_t bytes, SharedAccess kind) const {
  const std::uint32_t me = 1u << warp.index();
  const std::uint32_t acquired = warp.acquired;
  std::uint32_t conflict = 0;
  const Tag* tag = tags_.data() + offset;
  if (isWrite(kind)) {
    for (std::uint32_t i = 0; i < bytes; i++) {
      // other warps read or wrote at or after the last acquire
      conflict |= static_cast<std::uint32_t>((tag[i].readers & ~me) != 0 && tag[i].readTime >= acquired);
      conflict |= static_cast<std::uint32_t>(tag[i].writer != warp.index() && tag[i].writeTime >= acquired);
      conflict |= tag[i].flags & pending;
    }
  } else {
    for (std::uint32_t i = 0; i < bytes; i++) {
      conflict |= static_cast<std::uint32_t>(tag[i].writer != warp.index() && tag[i].writeTime >= acquired);
      conflict |= static_cast<std::uint32_t>((tag[i].flags & (written | pending)) != written);
    }
  }
  return conflict == 0;
}

void SharedShadow::access(Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes,
                          SharedAccess kind, std::uint32_t usedBytes) {
  if (tags_.empty()) {
    return;
  }
  if (!quick(warp, offset, bytes, kind)) {
    for (std::uint32_t i = 0; i < bytes; i++) {
      if (i >= 32 || (usedBytes >> i & 1) != 0) {
        slow(warp, op, lane, offset + i, kind);
      }
    }
  }
  const auto now = static_cast<std::uint16_t>(warp.block.time);
  Tag* tag = tags_.data() + offset;
  if (isWrite(kind)) {
    const auto flags = static_cast<std::uint8_t>(written | (isStrong(kind) ? strong : 0));
    for (std::uint32_t i = 0; i < bytes; i++) {
      tag[i] = {0, 0, now, static_cast<std::uint8_t>(warp.index()), flags, 0};
    }
  } else if (kind != SharedAccess::strongRead) {
    const std::uint32_t me = 1u << warp.index();
    const auto acquired = static_cast<std::uint16_t>(warp.acquired);
    for (std::uint32_t i = 0; i < bytes; i++) {
      // reads from before the last synchronisation of this warp are ordered before whatever it orders itself before
      const bool stale = tag[i].readers == 0 || tag[i].readTime < acquired;
      tag[i].readers = stale ? me : tag[i].readers | me;
      tag[i].readTime = stale ? now : tag[i].readTime;
    }
  }
}

void SharedShadow::slow(Warp& warp, const Op& op, int lane, std::uint32_t address, SharedAccess kind) {
  const Tag& tag = tags_[address];
  LaunchContext& launch = warp.launch;
  const auto report = [&](FindingKind findingKind, std::string detail) {
    Finding finding = launch.locate(findingKind, Status::launchFailed, warp, op, lane);
    finding.address = sharedWindow + address;
    finding.allocation = "shared memory of the block";
    finding.detail = std::move(detail);
    launch.report(std::move(finding));
  };
  if ((tag.flags & pending) != 0) {
    report(FindingKind::pendingCopy, "a cp.async to this byte has not been waited for");
    return;
  }
  if (!isWrite(kind) && (tag.flags & written) == 0) {
    report(FindingKind::uninitialisedRead, "nobody wrote this shared byte");
    return;
  }
  // ordered: the other warp released after its access, and this one acquired after that
  const auto ordered = [&](std::uint32_t other, std::uint32_t when) {
    return warp.acquired > when && warp.block.warps[other]->released > when;
  };
  const bool bothStrong = isStrong(kind) && (tag.flags & strong) != 0;
  if ((tag.flags & written) != 0 && tag.writer != warp.index() && tag.writeTime > 0 && !bothStrong &&
      !ordered(tag.writer, tag.writeTime)) {
    report(FindingKind::sharedRace, "warp " + std::to_string(tag.writer) + " wrote the byte and no barrier came between");
    return;
  }
  if (isWrite(kind) && !isStrong(kind)) {
    for (std::uint32_t others = tag.readers & ~(1u << warp.index()); others != 0; others &= others - 1) {
      const auto reader = static_cast<std::uint32_t>(std::countr_zero(others));
      if (!ordered(reader, tag.readTime)) {
        report(FindingKind::sharedRace, "warp " + std::to_string(reader) + " read the byte and no barrier came between");
        return;
      }
    }
  }
}

void SharedShadow::markPending(Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes) {
  if (tags_.empty()) {
    return;
  }
  // the copy may land at any moment from now on, so it must not meet readers of what was there
  if (!quick(warp, offset, bytes, SharedAccess::write)) {
    for (std::uint32_t i = 0; i < bytes; i++) {
      slow(warp, op, lane, offset + i, SharedAccess::write);
    }
  }
  for (std::uint32_t i = 0; i < bytes; i++) {
    tags_[offset + i].flags |= pending;
  }
}

void SharedShadow::completePending(Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes) {
  if (tags_.empty()) {
    return;
  }
  for (std::uint32_t i = 0; i < bytes; i++) {
    tags_[offset + i].flags &= static_cast<std::uint8_t>(~pending);
  }
  access(warp, op, lane, offset, bytes, SharedAccess::write);
}

void SharedShadow::markStrong(Warp& warp, std::uint32_t offset, std::uint32_t bytes) {
  for (std::uint32_t i = 0; i < bytes && !tags_.empty(); i++) {
    tags_[offset + i] = {0, 0, static_cast<std::uint16_t>(warp.block.time), static_cast<std::uint8_t>(warp.index()),
                         written | strong, 0};
  }
}

} // namespace simgpu
