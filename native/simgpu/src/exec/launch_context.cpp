#include "exec/launch_context.h"

#include "exec/block.h"

#include <algorithm>

namespace simgpu {

LaunchContext::LaunchContext(DeviceMemory& deviceMemory, const DeviceModel& deviceModel, const Settings& launchSettings)
    : memory(deviceMemory), model(deviceModel), settings(launchSettings), start_(std::chrono::steady_clock::now()) {}

void LaunchContext::report(Finding finding) {
  std::lock_guard lock(mutex_);
  for (Finding& known : findings_) {
    if (known.kind == finding.kind && known.line == finding.line && known.instruction == finding.instruction) {
      known.occurrences++;
      return;
    }
  }
  const auto isNote = [](const Finding& each) { return each.status == Status::success; };
  if (findings_.size() < settings.findingLimit) {
    findings_.push_back(std::move(finding));
  } else if (!isNote(finding)) { // a defect goes before what is none
    const auto note = std::find_if(findings_.begin(), findings_.end(), isNote);
    if (note != findings_.end()) {
      *note = std::move(finding);
    }
  }
}

void LaunchContext::fail(Finding finding) {
  {
    std::lock_guard lock(mutex_);
    // what ends the launch comes first, whatever was noted before
    const bool first = !aborted.exchange(true);
    findings_.insert(first ? findings_.begin() : findings_.end(), std::move(finding));
  }
  throw LaunchFault{};
}

Finding LaunchContext::locate(FindingKind kind, Status status, const Warp& warp, const Op& op, int lane) const {
  Finding finding;
  finding.kind = kind;
  finding.status = status;
  finding.kernel = kernel;
  const auto index = static_cast<std::size_t>(&op - code->ops.data());
  if (index < code->sources.size()) {
    finding.line = code->sources[index].line;
    finding.source = code->sourceAt(finding.line);
    if (code->sources[index].text < code->texts.size()) {
      finding.instruction = code->texts[code->sources[index].text];
    }
  }
  finding.block = warp.block.position;
  finding.warp = static_cast<std::int32_t>(warp.index());
  finding.lane = lane;
  return finding;
}

std::string LaunchContext::describeAddress(DeviceAddress address) const {
  if (const auto allocation = memory.find(address)) {
    return allocation->describe();
  }
  const auto near = memory.nearest(address);
  if (!near) {
    return "no allocation";
  }
  const DeviceAddress end = near->base + near->size;
  return address >= end ? std::to_string(address - end) + " bytes beyond the end of " + near->describe()
                        : std::to_string(near->base - address) + " bytes before " + near->describe();
}

void LaunchContext::print(std::string_view text) {
  std::lock_guard lock(mutex_);
  printed_ += text;
}

std::vector<Finding> LaunchContext::takeFindings() {
  std::lock_guard lock(mutex_);
  std::stable_partition(findings_.begin(), findings_.end(),
                        [](const Finding& each) { return each.status != Status::success; });
  return std::move(findings_);
}

std::string LaunchContext::takePrinted() {
  std::lock_guard lock(mutex_);
  return std::move(printed_);
}

std::uint64_t LaunchContext::nanoseconds() const {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start_).count());
}

} // namespace simgpu
