#include "driver/configuration.h"

#include <charconv>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace simgpu::driver {
namespace {

constexpr const char* keys[] = {"device",   "memory",   "checks", "lockstep", "exact",     "traffic", "workers",
                                "watchdog", "findings", "async",  "report",   "times",
                                "guard",    "rehearsal", "faults"};

template <class Number> bool readNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

/** Sets `choice` to whether `value` is `yes`; false when it is neither. */
bool readChoice(std::string_view value, std::string_view yes, std::string_view no, bool& choice) {
  if (value != yes && value != no) return false;
  choice = value == yes;
  return true;
}

} // namespace

Configuration Configuration::fromEnvironment() {
  Configuration configuration;
  for (const char* key : keys) {
    std::string variable = "FILIGREE_SIMGPU_";
    for (const char* c = key; *c != 0; ++c) variable += static_cast<char>(std::toupper(static_cast<unsigned char>(*c)));
    const char* value = std::getenv(variable.c_str());
    std::string problem;
    if (value != nullptr && !configuration.applyOne(key, value, problem)) {
      std::fprintf(stderr, "simgpu: environment variable %s: %s\n", variable.c_str(), problem.c_str());
    }
  }
  return configuration;
}

bool Configuration::apply(std::string_view words, std::string& problem) {
  Configuration changed = *this;
  const std::string_view space = " \t\r\n";
  for (std::size_t at = words.find_first_not_of(space); at != std::string_view::npos;
       at = words.find_first_not_of(space, at)) {
    const std::size_t end = std::min(words.find_first_of(space, at), words.size());
    const std::string_view word = words.substr(at, end - at);
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string_view value = equals < word.size() ? word.substr(equals + 1) : "";
    if (!changed.applyOne(word.substr(0, equals), value, problem)) return false;
    at = end;
  }
  *this = changed;
  return true;
}

bool Configuration::applyOne(std::string_view key, std::string_view value, std::string& problem) {
  bool good = true;
  if (key == "device") {
    const std::optional<DeviceModel> named = DeviceModel::named(value);
    good = named.has_value();
    if (good) model = *named;
  } else if (key == "memory") {
    good = readNumber(value, model.memoryBytes) && model.memoryBytes > 0;
  } else if (key == "checks") {
    good = readChoice(value, "on", "off", engine.checks);
  } else if (key == "lockstep") {
    good = readChoice(value, "on", "off", engine.lockStep);
  } else if (key == "exact") {
    good = readChoice(value, "on", "off", engine.exactTensor);
  } else if (key == "traffic") {
    good = readChoice(value, "on", "off", engine.countTraffic);
  } else if (key == "workers") {
    good = readNumber(value, engine.workers);
  } else if (key == "watchdog") {
    good = readNumber(value, engine.watchdog);
  } else if (key == "findings") {
    good = readNumber(value, engine.findingLimit);
  } else if (key == "async") {
    good = readChoice(value, "deferred", "eager", deferred);
  } else if (key == "report") {
    good = readChoice(value, "stderr", "off", reportToStderr);
  } else if (key == "times") {
    good = readChoice(value, "projected", "wall", projectedTimes);
    if (good && projectedTimes) engine.countTraffic = true; // the projection needs it
  } else if (key == "guard") {
    good = readChoice(value, "on", "off", guard);
  } else if (key == "rehearsal") {
    good = readChoice(value, "on", "off", rehearsal);
  } else if (key == "faults") {
    return faults.parse(value, problem);
  } else {
    problem = "unknown setting '" + std::string(key) + "'; known are";
    for (const char* known : keys) problem += std::string(" ") + known;
    return false;
  }
  if (!good) problem = "'" + std::string(value) + "' is no value for the setting '" + std::string(key) + "'";
  return good;
}

} // namespace simgpu::driver
