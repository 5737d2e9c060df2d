#include "memory/device_memory.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace simgpu {

namespace {

constexpr std::uint64_t gap = 4096; // between allocations, so that small overruns hit nothing
constexpr std::uint64_t page = 4096;
constexpr std::size_t quarantineLimit = 1 << 16;
constexpr std::uint64_t largestReservation = std::uint64_t{4} << 40;
constexpr std::uint64_t smallestReservation = std::uint64_t{4} << 30;

std::uint64_t roundUp(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

/** The address space an allocation takes. */
std::uint64_t spanOf(std::uint64_t size) { return roundUp(size, DeviceMemory::usualAlignment) + gap; }

/** Address space whose pages come into being when they are touched. */
void* reserve(std::uint64_t bytes) {
  void* range = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) {
    return nullptr;
  }
  madvise(range, bytes, MADV_DONTDUMP);
  madvise(range, bytes, MADV_NOHUGEPAGE); // sparse use: a huge page per allocation would waste memory
  return range;
}

/** How many shadow bytes from `shadow` on say "written". */
std::uint64_t writtenPrefix(const std::uint8_t* shadow, std::uint64_t bytes) {
  constexpr std::uint64_t allWritten = 0x0101010101010101 * byteWritten;
  std::uint64_t i = 0;
  for (std::uint64_t word = 0; bytes - i >= sizeof word; i += sizeof word) {
    std::memcpy(&word, shadow + i, sizeof word);
    if (word != allWritten) {
      break;
    }
  }
  while (i < bytes && shadow[i] == byteWritten) {
    i++;
  }
  return i;
}

/** Gives the whole pages inside a range back; clears the rest. */
void discardRange(void* begin, std::uint64_t bytes) {
  const auto first = reinterpret_cast<std::uint64_t>(begin);
  const std::uint64_t pageFirst = roundUp(first, page);
  const std::uint64_t pageEnd = (first + bytes) / page * page;
  if (pageEnd > pageFirst && bytes >= 16 * page) {
    std::memset(begin, 0, pageFirst - first);
    madvise(reinterpret_cast<void*>(pageFirst), pageEnd - pageFirst, MADV_DONTNEED);
    std::memset(reinterpret_cast<void*>(pageEnd), 0, first + bytes - pageEnd);
  } else {
    std::memset(begin, 0, bytes);
  }
}

const char* kindName(AllocationKind kind) {
  switch (kind) {
  case AllocationKind::user:
    return "user";
  case AllocationKind::module:
    return "module variable";
  case AllocationKind::constant:
    return "constant";
  case AllocationKind::heap:
    return "device heap";
  }
  return "";
}

} // namespace

std::string Allocation::describe() const {
  char text[160];
  std::snprintf(text, sizeof text, "allocation %llu%s%.40s (%llu bytes at 0x%llx, %s%s)",
                static_cast<unsigned long long>(id), label.empty() ? "" : " ", label.c_str(),
                static_cast<unsigned long long>(size), static_cast<unsigned long long>(base), kindName(kind),
                freed ? ", freed" : "");
  return text;
}

DeviceMemory::DeviceMemory(std::uint64_t capacity) : capacity_(capacity) {
  // The shadows take 1, 2 and 1/4 times as much; a host that limits address space gets a smaller range.
  for (reserved_ = largestReservation; reserved_ >= smallestReservation; reserved_ /= 2) {
    void* memory = reserve(reserved_);
    void* initialised = memory != nullptr ? reserve(reserved_) : nullptr;
    void* writers = initialised != nullptr ? reserve(reserved_ * 2) : nullptr;
    void* sectors = writers != nullptr ? reserve(reserved_ / 4) : nullptr;
    if (sectors != nullptr) {
      base_ = reinterpret_cast<DeviceAddress>(memory);
      initShadow_ = static_cast<std::uint8_t*>(initialised);
      writerShadow_ = static_cast<std::uint64_t*>(writers);
      sectorShadow_ = static_cast<std::uint32_t*>(sectors);
      next_ = base_ + gap;
      return;
    }
    if (memory != nullptr) {
      munmap(memory, reserved_);
    }
    if (initialised != nullptr) {
      munmap(initialised, reserved_);
    }
    if (writers != nullptr) {
      munmap(writers, reserved_ * 2);
    }
  }
  throw std::bad_alloc();
}

DeviceMemory::~DeviceMemory() {
  munmap(reinterpret_cast<void*>(base_), reserved_);
  munmap(initShadow_, reserved_);
  munmap(writerShadow_, reserved_ * 2);
  munmap(sectorShadow_, reserved_ / 4);
}

DeviceAddress DeviceMemory::allocate(std::uint64_t size, AllocationKind kind, std::uint64_t owner, std::string label,
                                     std::uint64_t alignment) {
  std::unique_lock lock(mutex_);
  const std::uint64_t taken = used_.load(std::memory_order_relaxed);
  if (size == 0 || size > capacity_ || taken > capacity_ - size) {
    return 0;
  }
  // with room to align; a span keeps to the usual alignment
  const DeviceAddress span = reserveLocked(spanOf(size) + (alignment - usualAlignment));
  if (span == 0) {
    return 0;
  }
  const DeviceAddress address = roundUp(span, alignment);
  Allocation allocation;
  allocation.id = nextId_++;
  allocation.base = address;
  allocation.size = size;
  allocation.kind = kind;
  allocation.owner = owner;
  allocation.label = std::move(label);
  table_.emplace(address, std::move(allocation));
  used_.store(taken + size, std::memory_order_relaxed);
  return address;
}

DeviceAddress DeviceMemory::reserveLocked(std::uint64_t span) {
  if (next_ + span > base_ + reserved_) {
    recycleLocked(span);
    for (auto it = recyclable_.begin(); it != recyclable_.end(); ++it) {
      if (it->second >= span) {
        const DeviceAddress address = it->first;
        const std::uint64_t rest = it->second - span;
        recyclable_.erase(it);
        if (rest > 0) {
          recyclable_.emplace(address + span, rest);
        }
        return address;
      }
    }
    return 0;
  }
  const DeviceAddress address = next_;
  next_ += span;
  return address;
}

/** Forgets freed allocations, oldest first, until a range of `span` bytes has come together. */
void DeviceMemory::recycleLocked(std::uint64_t span) {
  while (!quarantine_.empty()) {
    const auto found = table_.find(quarantine_.front());
    quarantine_.pop_front();
    const DeviceAddress begin = found->first;
    const std::uint64_t length = spanOf(found->second.size);
    table_.erase(found);
    auto entry = recyclable_.emplace(begin, length).first;
    if (entry != recyclable_.begin()) {
      const auto previous = std::prev(entry);
      if (previous->first + previous->second == begin) {
        previous->second += length;
        recyclable_.erase(entry);
        entry = previous;
      }
    }
    const auto following = std::next(entry);
    if (following != recyclable_.end() && entry->first + entry->second == following->first) {
      entry->second += following->second;
      recyclable_.erase(following);
    }
    if (entry->second >= span) {
      return;
    }
  }
}

MemoryStatus DeviceMemory::free(DeviceAddress base) {
  std::unique_lock lock(mutex_);
  const auto found = table_.find(base);
  if (found == table_.end()) {
    return findLocked(base) != nullptr ? MemoryStatus::notBase : MemoryStatus::unknown;
  }
  if (found->second.freed) {
    return MemoryStatus::freed;
  }
  freeLocked(found->second);
  return MemoryStatus::ok;
}

void DeviceMemory::freeOwned(std::uint64_t owner, AllocationKind kind) {
  std::unique_lock lock(mutex_);
  for (auto& [base, allocation] : table_) {
    if (!allocation.freed && allocation.owner == owner && allocation.kind == kind) {
      freeLocked(allocation);
    }
  }
}

void DeviceMemory::freeLocked(Allocation& allocation) {
  allocation.freed = true;
  used_.fetch_sub(allocation.size, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  discard(allocation);
  if (!allocation.reserved) {
    quarantineLocked(allocation);
  }
}

void DeviceMemory::quarantineLocked(const Allocation& allocation) {
  quarantine_.push_back(allocation.base);
  if (quarantine_.size() > quarantineLimit) {
    // the record may go, but the addresses are not handed out again while fresh ones are left
    const auto oldest = table_.find(quarantine_.front());
    recyclable_.emplace(oldest->first, spanOf(oldest->second.size));
    table_.erase(oldest);
    quarantine_.pop_front();
  }
}

void DeviceMemory::discard(const Allocation& allocation) {
  discardRange(reinterpret_cast<void*>(allocation.base), allocation.size);
  discardRange(initialisedShadow(allocation.base), allocation.size);
  discardRange(writerShadow(allocation.base), roundUp(allocation.size, 4) * 2);
  discardRange(sectorShadow(allocation.base), roundUp(allocation.size, 32) / 4);
}

const Allocation* DeviceMemory::findLocked(DeviceAddress address) const {
  auto found = table_.upper_bound(address);
  if (found == table_.begin()) {
    return nullptr;
  }
  --found;
  return found->second.contains(address, 1) ? &found->second : nullptr;
}

void DeviceMemory::shareWithHost(DeviceAddress base) {
  std::unique_lock lock(mutex_);
  Allocation& allocation = table_.at(base);
  allocation.hostSees = true;
  markInitialised(base, allocation.size);
}

std::optional<Allocation> DeviceMemory::find(DeviceAddress address) const {
  std::shared_lock lock(mutex_);
  const Allocation* allocation = findLocked(address);
  return allocation != nullptr ? std::optional(*allocation) : std::nullopt;
}

std::optional<Allocation> DeviceMemory::nearest(DeviceAddress address) const {
  std::shared_lock lock(mutex_);
  const Allocation* best = nullptr;
  std::uint64_t bestDistance = ~std::uint64_t{0};
  const auto consider = [&](const Allocation& allocation) {
    const DeviceAddress end = allocation.base + allocation.size;
    const std::uint64_t distance =
        address < allocation.base ? allocation.base - address : address >= end ? address - end : 0;
    if (!allocation.freed && distance < bestDistance) {
      best = &allocation;
      bestDistance = distance;
    }
  };
  const auto after = table_.upper_bound(address);
  if (after != table_.end()) {
    consider(after->second);
  }
  if (after != table_.begin()) {
    consider(std::prev(after)->second);
  }
  return best != nullptr ? std::optional(*best) : std::nullopt;
}

MemoryStatus DeviceMemory::checkLocked(DeviceAddress address, std::uint64_t bytes) const {
  const Allocation* allocation = findLocked(address);
  if (allocation == nullptr) {
    return MemoryStatus::unknown;
  }
  if (allocation->freed) {
    return MemoryStatus::freed;
  }
  return allocation->contains(address, bytes) ? MemoryStatus::ok : MemoryStatus::outOfBounds;
}

MemoryStatus DeviceMemory::check(DeviceAddress address, std::uint64_t bytes) const {
  std::shared_lock lock(mutex_);
  return checkLocked(address, bytes);
}

// The lock is held while bytes move, so that another thread's free cannot take the range away meanwhile.

MemoryStatus DeviceMemory::copyIn(DeviceAddress to, const void* from, std::uint64_t bytes) {
  std::shared_lock lock(mutex_);
  const MemoryStatus status = bytes == 0 ? MemoryStatus::ok : checkLocked(to, bytes);
  if (status == MemoryStatus::ok && bytes > 0) {
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    markInitialised(to, bytes);
  }
  return status;
}

MemoryStatus DeviceMemory::copyOut(void* to, DeviceAddress from, std::uint64_t bytes) const {
  std::shared_lock lock(mutex_);
  const MemoryStatus status = bytes == 0 ? MemoryStatus::ok : checkLocked(from, bytes);
  if (status == MemoryStatus::ok && bytes > 0) {
    std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
  }
  return status;
}

MemoryStatus DeviceMemory::copyWithin(DeviceAddress to, DeviceAddress from, std::uint64_t bytes) {
  std::shared_lock lock(mutex_);
  if (bytes == 0) {
    return MemoryStatus::ok;
  }
  const MemoryStatus source = checkLocked(from, bytes);
  if (source != MemoryStatus::ok) {
    return source;
  }
  const MemoryStatus target = checkLocked(to, bytes);
  if (target == MemoryStatus::ok) {
    std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
    std::memmove(initialisedShadow(to), initialisedShadow(from), bytes); // copying garbage does not make it data
  }
  return target;
}

MemoryStatus DeviceMemory::fill(DeviceAddress to, const void* pattern, std::uint32_t patternBytes,
                                std::uint64_t count) {
  std::shared_lock lock(mutex_);
  if (count == 0) {
    return MemoryStatus::ok;
  }
  if (count > capacity_ / std::max(1u, patternBytes)) {
    return MemoryStatus::outOfBounds;
  }
  const MemoryStatus status = checkLocked(to, count * patternBytes);
  if (status == MemoryStatus::ok) {
    auto* target = reinterpret_cast<std::byte*>(to);
    for (std::uint64_t i = 0; i < count; i++) {
      std::memcpy(target + i * patternBytes, pattern, patternBytes);
    }
    markInitialised(to, count * patternBytes);
  }
  return status;
}

bool DeviceMemory::initialised(DeviceAddress address, std::uint64_t bytes, DeviceAddress* firstBad) const {
  const std::uint8_t* shadow = initialisedShadow(address);
  const std::uint64_t good = writtenPrefix(shadow, bytes);
  if (good < bytes && firstBad != nullptr) {
    *firstBad = address + good;
  }
  return good == bytes;
}

void DeviceMemory::markInitialised(DeviceAddress address, std::uint64_t bytes) {
  std::memset(initialisedShadow(address), byteWritten, bytes);
}

DeviceAddress DeviceMemory::firstUnwrittenValue(DeviceAddress address, std::uint64_t bytes) const {
  const std::uint8_t* shadow = initialisedShadow(address);
  for (std::uint64_t i = 0; (i += writtenPrefix(shadow + i, bytes - i)) < bytes; i++) {
    if (holdsUnwrittenValue(shadow[i])) {
      return address + i;
    }
  }
  return 0;
}

std::vector<Allocation> DeviceMemory::live() const {
  std::shared_lock lock(mutex_);
  std::vector<Allocation> result;
  for (const auto& [base, allocation] : table_) {
    if (!allocation.freed) {
      result.push_back(allocation);
    }
  }
  std::sort(result.begin(), result.end(), [](const Allocation& a, const Allocation& b) { return a.id < b.id; });
  return result;
}

std::vector<Allocation> DeviceMemory::live(std::uint64_t owner) const {
  std::vector<Allocation> result = live();
  std::erase_if(result, [owner](const Allocation& allocation) { return allocation.owner != owner; });
  return result;
}

} // namespace simgpu
