// Sums with carries: add.cc, addc, mad.cc, madc ...
#pragma once

#include "exec/decoder.h"

namespace simgpu {

/** add.cc, sub.cc, addc, subc; the modifier .cc was taken into `out`. */
void decodeAddCarry(Decoder& d, bool subtract, bool in, bool out);

/** mad.cc and madc. */
void decodeMadCarry(Decoder& d, bool in, bool out);

} // namespace simgpu
