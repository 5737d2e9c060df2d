// The instructions this device knows.
#pragma once

#include <span>
#include <string_view>

namespace simgpu {

class Decoder;

struct Opcode {
  std::string_view name;
  void (*decode)(Decoder&);
};

/** The decode function of "add", "ld" ...; null for an opcode that is not known. */
const Opcode* findOpcode(std::string_view name);
std::span<const Opcode> allOpcodes();

// Instruction families, by file.
void decodeAdd(Decoder&);        // ops_arithmetic.cpp: integers, hands floats on
void decodeSub(Decoder&);
void decodeMul(Decoder&);
void decodeMad(Decoder&);
void decodeFma(Decoder&);
void decodeDiv(Decoder&);
void decodeRem(Decoder&);
void decodeMinMax(Decoder&);
void decodeNegate(Decoder&);
void decodeAbsolute(Decoder&);
void decodeSad(Decoder&);
void decodeMul24(Decoder&);
void decodeCarry(Decoder&);      // ops_carry.cpp: addc, subc, madc
void decodeRoot(Decoder&);       // ops_float.cpp: rcp, sqrt, rsqrt
void decodeFunction(Decoder&);   // sin, cos, lg2, ex2, tanh
void decodeCopySign(Decoder&);
void decodeTestProperty(Decoder&);
void decodeLogic(Decoder&);      // ops_bits.cpp: and, or, xor, not, cnot
void decodeShift(Decoder&);      // shl, shr
void decodeFunnelShift(Decoder&);
void decodeLop3(Decoder&);
void decodePermute(Decoder&);
void decodeBitField(Decoder&);   // bfe, bfi, bmsk, szext
void decodeBitCount(Decoder&);   // popc, clz, brev, bfind, fns
void decodeDotProduct(Decoder&); // dp4a, dp2a
void decodeVideo(Decoder&);      // ops_video.cpp: vadd2 ... vset4
void decodeScalarVideo(Decoder&); // vadd ... vset
void decodeSetp(Decoder&);       // ops_compare.cpp
void decodeSet(Decoder&);
void decodeSelp(Decoder&);
void decodeSlct(Decoder&);
void decodeConvert(Decoder&);    // ops_convert.cpp: cvt
void decodeConvertPack(Decoder&);
void decodeMov(Decoder&);        // ops_move.cpp
void decodeConvertAddress(Decoder&); // cvta
void decodeIsSpace(Decoder&);
void decodeAlloca(Decoder&);     // alloca, stacksave, stackrestore
void decodeLoad(Decoder&);       // ops_memory.cpp
void decodeStore(Decoder&);
void decodeCacheHint(Decoder&);  // prefetch, prefetchu, discard, applypriority, createpolicy
void decodeAtomic(Decoder&);     // ops_atomic.cpp: atom, red
void decodeCopyAsync(Decoder&);  // ops_async.cpp: cp.async
void decodeMbarrier(Decoder&);   // ops_mbarrier.cpp
void decodeCopyArrive(Decoder&); // cp.async.mbarrier.arrive
void decodeTexture(Decoder&);    // ops_texture.cpp: tex
void decodeLoadMatrix(Decoder&); // ops_matrix.cpp: ldmatrix
void decodeMoveMatrix(Decoder&);
void decodeMma(Decoder&);        // ops_mma.cpp
void decodeWmma(Decoder&);       // ops_wmma.cpp
void decodeShuffle(Decoder&);    // ops_warp.cpp
void decodeVote(Decoder&);
void decodeMatch(Decoder&);
void decodeRedux(Decoder&);
void decodeActiveMask(Decoder&);
void decodeBarrier(Decoder&);    // ops_barrier.cpp: bar, barrier
void decodeFence(Decoder&);      // fence, membar
void decodeBranch(Decoder&);     // ops_control.cpp: bra, brx
void decodeCall(Decoder&);
void decodeReturn(Decoder&);     // ret, exit
void decodeTrap(Decoder&);       // trap, brkpt
void decodeNanosleep(Decoder&);
void decodeNothing(Decoder&);    // pmevent, griddepcontrol: no effect here

} // namespace simgpu
