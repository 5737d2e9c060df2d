// Functions the device runtime provides: vprintf, malloc, free, __assertfail.
#pragma once

#include "exec/program.h"

#include <string_view>

namespace simgpu {

/** The handler of a runtime function, or null. Op::target of the call is its CallSite. */
Handler findBuiltin(std::string_view name);

} // namespace simgpu
