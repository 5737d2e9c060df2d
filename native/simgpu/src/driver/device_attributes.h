// The attributes of the simulated device, as cuDeviceGetAttribute numbers them.
#pragma once

#include "exec/device_model.h"

#include <optional>

namespace simgpu::driver {

/** Empty for numbers that are no attribute of CUDA 12. */
std::optional<int> deviceAttribute(const DeviceModel& model, int attribute);

} // namespace simgpu::driver
