#include "driver/finding_log.h"

#include "driver/json_writer.h"

#include <cstdio>

namespace simgpu::driver {
namespace {

std::string hex(std::uint64_t address) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  return text;
}

void write(JsonWriter& json, const LogEntry& entry) {
  json.beginObject().field("kind", entry.kind).field("status", resultName(entry.status));
  json.field("code", static_cast<std::int32_t>(entry.status)).field("call", entry.call).field("text", entry.text);
  if (entry.finding) {
    const Finding& finding = *entry.finding;
    json.field("kernel", finding.kernel).field("line", finding.line).field("instruction", finding.instruction);
    json.key("block").beginArray().value(finding.block.x).value(finding.block.y).value(finding.block.z).endArray();
    json.field("warp", finding.warp).field("lane", finding.lane).field("address", hex(finding.address));
    json.field("allocation", finding.allocation).field("detail", finding.detail);
    json.field("occurrences", finding.occurrences);
  }
  json.endObject();
}

} // namespace

const char* resultName(CUresult result) {
  switch (result) {
#define SIMGPU_RESULT(name, value, text)                                                                               \
  case name:                                                                                                           \
    return #name;
#include "driver/results.def"
#undef SIMGPU_RESULT
  }
  return nullptr;
}

const char* resultText(CUresult result) {
  switch (result) {
#define SIMGPU_RESULT(name, value, text)                                                                               \
  case name:                                                                                                           \
    return text;
#include "driver/results.def"
#undef SIMGPU_RESULT
  }
  return nullptr;
}

void FindingLog::add(LogEntry entry, bool print) {
  if (print) {
    std::fprintf(stderr, "simgpu: %s: %s: %s\n", entry.call.c_str(), resultName(entry.status), entry.text.c_str());
  }
  if (entries_.size() < capacity) {
    entries_.push_back(std::move(entry));
  } else {
    ++dropped_;
  }
}

void FindingLog::clear() {
  entries_.clear();
  dropped_ = 0;
}

std::string FindingLog::json() const {
  JsonWriter json;
  json.beginObject().key("findings").beginArray();
  for (const LogEntry& entry : entries_) write(json, entry);
  json.endArray().field("dropped", dropped_).endObject();
  return json.text();
}

} // namespace simgpu::driver
