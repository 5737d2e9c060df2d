// From PTX text to a module: parsing, placing variables, decoding.
#pragma once

#include "exec/engine.h"

#include <string_view>

namespace simgpu {

CompileResult compileModule(std::string_view ptx, const DeviceModel& model, DeviceMemory& memory, std::uint64_t owner);

} // namespace simgpu
