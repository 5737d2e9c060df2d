// Execution of mma.sync, mma.sp.sync and wmma.mma on the registers of a warp.
#pragma once

#include "arith/fragment.h"
#include "arith/rounding.h"
#include "arith/sparse_metadata.h"

#include <memory>
#include <optional>

namespace simgpu::arith {

/** How products on f16, bf16 and tf32 are accumulated. */
enum class Accumulation : std::uint8_t {
  fast, // a chain of fp32 multiply-adds in ascending k: same error size as the device, different bits
  exact // the tensor core's own alignment and truncation, see tensor_core.h
};

/** The multiplication of single-bit matrices: popcount of the xor or of the and. */
enum class BitOperation : std::uint8_t { xorPopc, andPopc };

/** A matrix instruction without its operands. */
struct MmaInstruction {
  MmaShape shape;
  Element a;
  Element b;
  Element c;
  Element d;
  bool wmma = false;          // operands have the fragments of wmma.load
  bool sparse = false;        // mma.sp
  bool ordered = false;       // mma.sp::ordered_metadata
  bool saturate = false;      // .satfinite
  bool aColumnMajor = false;  // matters for mma.m8n8k4 on f16 only
  bool bColumnMajor = true;   // likewise
  int selector = 0;           // of mma.sp
  BitOperation bitOperation = BitOperation::xorPopc;
  Rounding rounding = Rounding::nearestEven; // of f64
};

/**
 * Operands as the engine keeps registers: for each register of the vector operand a pointer to its 32 lanes, which are
 * 32-bit values, or 64-bit values for f64. D may be the same registers as A, B or C.
 */
struct MmaOperands {
  void* d[8];
  const void* a[8];
  const void* b[8];
  const void* c[8];
  const std::uint32_t* metadata; // 32 lanes, mma.sp only
};

class MmaPlan;

/** A decoded instruction: created once when a module is loaded, executed for every warp that reaches it. */
class Mma {
public:
  /** Nothing when sm_80 has no such instruction (shape, types, layouts or selector). */
  static std::optional<Mma> of(const MmaInstruction& instruction);

  const MmaInstruction& instruction() const;

  /** Numbers of registers in the vector operands. */
  int aRegisters() const;
  int bRegisters() const;
  int cRegisters() const;
  int dRegisters() const;

  /** Scalar multiply-adds the instruction stands for, counting mma.sp as the dense product it replaces. */
  std::int64_t multiplyAdds() const;

  /** Computes D = A*B + C for a full warp. When the metadata is illegal it is reported and D is left alone. */
  std::optional<IllegalMetadata> execute(const MmaOperands& operands, Accumulation accumulation) const;

private:
  explicit Mma(std::shared_ptr<const MmaPlan> plan) : plan_(std::move(plan)) {}

  std::shared_ptr<const MmaPlan> plan_;
};

} // namespace simgpu::arith
