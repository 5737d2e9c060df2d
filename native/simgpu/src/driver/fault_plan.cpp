#include "driver/fault_plan.h"

#include <charconv>

namespace simgpu::driver {

bool FaultPlan::parse(std::string_view list, std::string& problem) {
  FaultPlan plan = *this;
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    const std::string_view name = item.substr(0, equals);
    const std::string_view digits = equals == std::string_view::npos ? "" : item.substr(equals + 1);
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc{} || end != digits.data() + digits.size() || number == 0) {
      problem = "fault '" + std::string(item) + "' must be a name, '=' and a number above 0, such as alloc=3";
      return false;
    }
    if (name == "alloc") {
      plan.allocation_ = number;
    } else if (name == "launch") {
      plan.launch_ = number;
    } else if (name == "copy") {
      plan.copy_ = number;
    } else if (name == "ecc") {
      plan.ecc_ = number;
    } else if (name == "lost") {
      plan.lostAfter_ = number;
    } else if (name == "copy-delay") {
      plan.copyDelay_ = number;
    } else {
      problem = "unknown fault '" + std::string(name) + "'; known are alloc, launch, copy, ecc, lost and copy-delay";
      return false;
    }
  }
  *this = plan;
  return true;
}

bool FaultPlan::countCall() {
  ++calls_;
  return !deviceLost();
}

bool FaultPlan::countAllocation() { return ++allocations_ != allocation_; }

CUresult FaultPlan::countLaunch() {
  ++launches_;
  if (launches_ == launch_) return CUDA_ERROR_LAUNCH_FAILED;
  if (launches_ == ecc_) return CUDA_ERROR_ECC_UNCORRECTABLE;
  return CUDA_SUCCESS;
}

CUresult FaultPlan::countCopy() { return ++copies_ == copy_ ? CUDA_ERROR_ILLEGAL_ADDRESS : CUDA_SUCCESS; }

} // namespace simgpu::driver
