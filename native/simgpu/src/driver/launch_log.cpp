#include "driver/launch_log.h"

#include "driver/finding_log.h"
#include "driver/json_writer.h"

namespace simgpu::driver {
namespace {

void write(JsonWriter& json, const Counters& counters) {
  json.beginObject();
  json.key("warpInstructions").beginObject().field("total", counters.totalWarpInstructions());
  for (std::size_t i = 0; i < instructionClassCount; ++i) {
    if (counters.warpInstructions[i] == 0) continue;
    json.field(instructionClassName(static_cast<InstructionClass>(i)), counters.warpInstructions[i]);
  }
  json.endObject().field("laneInstructions", counters.laneInstructions);
  json.key("tensorMultiplyAdds").beginObject();
  for (std::size_t i = 0; i < tensorTypeCount; ++i) {
    if (counters.tensorMultiplyAdds[i] == 0) continue;
    json.field(tensorTypeName(static_cast<TensorType>(i)), counters.tensorMultiplyAdds[i]);
  }
  json.endObject();
  json.field("tensorIssues", counters.tensorIssues).field("sparseTensorIssues", counters.sparseTensorIssues);
  json.field("globalRequests", counters.globalRequests).field("globalSectors", counters.globalSectors);
  json.field("uniqueBytesRead", counters.uniqueBytesRead).field("uniqueBytesWritten", counters.uniqueBytesWritten);
  json.field("sharedRequests", counters.sharedRequests).field("sharedWavefronts", counters.sharedWavefronts);
  json.field("barriers", counters.barriers).field("branches", counters.branches);
  json.field("divergentBranches", counters.divergentBranches).field("preemptions", counters.preemptions);
  json.field("blocks", counters.blocks).field("warps", counters.warps).endObject();
}

std::vector<Projection> projections(const LaunchRecord& record) {
  std::vector<Projection> all;
  for (const DevicePeaks& peaks : publishedPeaks()) all.push_back(record.project(peaks));
  return all;
}

void write(JsonWriter& json, const char* name, const Dim3& size) {
  json.key(name).beginArray().value(size.x).value(size.y).value(size.z).endArray();
}

} // namespace

void LaunchLog::add(LaunchRecord record) {
  Sum& sum = sums_[record.kernel.name];
  ++sum.launches;
  sum.milliseconds += record.milliseconds;
  sum.counters.add(record.counters);
  if (records_.size() < capacity) {
    records_.push_back(std::move(record));
  } else {
    ++dropped_;
  }
}

void LaunchLog::clear() {
  records_.clear();
  sums_.clear();
  dropped_ = 0;
}

std::string LaunchLog::json() const {
  JsonWriter json;
  json.beginObject().key("launches").beginArray();
  for (const LaunchRecord& record : records_) {
    json.beginObject().field("kernel", record.kernel.name).field("status", resultName(record.status));
    write(json, "grid", record.config.grid);
    write(json, "block", record.config.block);
    json.field("dynamicShared", record.config.dynamicShared).field("residentBlocks", record.residentBlocks);
    json.field("simulatedMilliseconds", record.milliseconds).key("counters");
    write(json, record.counters);
    json.endObject();
  }
  json.endArray().key("kernels").beginObject();
  for (const auto& [name, sum] : sums_) {
    json.key(name).beginObject().field("launches", sum.launches).field("simulatedMilliseconds", sum.milliseconds);
    json.key("counters");
    write(json, sum.counters);
    json.endObject();
  }
  json.endObject().field("dropped", dropped_).endObject();
  return json.text();
}

Projection LaunchRecord::project(const DevicePeaks& peaks) const {
  const LaunchShape shape{config.grid.volume(), static_cast<std::uint32_t>((config.block.volume() + 31) / 32),
                          residentBlocks};
  return simgpu::project(counters, shape, peaks);
}

const DevicePeaks& peaksOf(const DeviceModel& model) {
  for (const DevicePeaks& peaks : publishedPeaks()) {
    if (model.name.ends_with(peaks.name)) return peaks;
  }
  return publishedPeaks().front();
}

std::string LaunchLog::projectionJson() const {
  JsonWriter json;
  json.beginArray();
  for (const LaunchRecord& record : records_) {
    json.raw(simgpu::projectionJson(record.kernel.name, projections(record)));
  }
  return json.endArray().text();
}

std::string LaunchLog::projectionTable() const {
  std::string text;
  for (const LaunchRecord& record : records_) {
    if (!text.empty()) text += "\n";
    text += simgpu::projectionTable(record.kernel.name, projections(record));
  }
  return text;
}

} // namespace simgpu::driver
