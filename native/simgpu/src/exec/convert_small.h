// The part of cvt that deals with floats of eight bits.
#pragma once

#include "exec/decoder.h"

namespace simgpu {

/** After the modifiers of rounding and the format were taken; see ops_convert_small.cpp. */
void decodeConvertSmall(Decoder& d, bool isE5m2, bool rounds, bool saturates, bool relu);

} // namespace simgpu
