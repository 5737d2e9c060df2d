// Handles a program can hold: numbers that are never used twice, so that a stale or foreign one is recognised.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace simgpu::driver {

/** A fresh number that no earlier handle had and no pointer of this process has. */
inline std::uint64_t nextHandle() {
  static std::uint64_t last = std::uint64_t{0x51} << 40; // far below where Linux maps memory
  return last += 16;
}

/** Objects by handle, in order of their creation. Guarded by the driver's mutex. */
template <class Handle, class Object> class HandleTable {
public:
  Handle add(std::shared_ptr<Object> object) {
    const auto handle = reinterpret_cast<Handle>(nextHandle());
    object->handle = handle;
    objects_.emplace(number(handle), std::move(object));
    return handle;
  }

  /** Null for what is not, or no longer, a handle of this table. */
  std::shared_ptr<Object> find(Handle handle) const {
    const auto found = objects_.find(number(handle));
    return found == objects_.end() ? nullptr : found->second;
  }

  bool remove(Handle handle) { return objects_.erase(number(handle)) > 0; }

  /** Gives an object the handle an earlier one had. */
  void rename(Handle from, Handle to) {
    auto entry = objects_.extract(number(from));
    entry.key() = number(to);
    entry.mapped()->handle = to;
    objects_.insert(std::move(entry));
  }

  std::vector<std::shared_ptr<Object>> all() const {
    std::vector<std::shared_ptr<Object>> result;
    result.reserve(objects_.size());
    for (const auto& [handle, object] : objects_) result.push_back(object);
    return result;
  }

  /** Removes and returns the objects a predicate holds for. */
  template <class Predicate> std::vector<std::shared_ptr<Object>> take(Predicate belongs) {
    std::vector<std::shared_ptr<Object>> taken;
    for (auto at = objects_.begin(); at != objects_.end();) {
      if (belongs(*at->second)) {
        taken.push_back(at->second);
        at = objects_.erase(at);
      } else {
        ++at;
      }
    }
    return taken;
  }

  std::size_t size() const { return objects_.size(); }

private:
  static std::uint64_t number(Handle handle) { return reinterpret_cast<std::uint64_t>(handle); }

  std::map<std::uint64_t, std::shared_ptr<Object>> objects_;
};

} // namespace simgpu::driver
