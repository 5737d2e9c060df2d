// What PTX allows and nothing behind the parser knows: parameters of functions in registers, operands of calls that are
// no .param variables, and registers of 128 bits. All of it is rewritten while the body is read.
//
//   .func (.reg .b32 y) f(.reg .b32 x)   a .param variable each; x is loaded on entry, y stored before every ret
//   call (%r2), f, (%r1);                st.param of %r1 to a new variable before, ld.param of %r2 after
//   mov.b128 %q1, {%rd1, %rd2};          two mov.b64; %q1 is a pair of 64-bit registers
//   ld.global.b128 %q1, [%rd3];          ld.global.v2.b64
#pragma once

#include "ptx/scope_tree.h"
#include "ptx/syntax.h"

#include <functional>
#include <string>
#include <vector>

namespace simgpu::ptx {

/** The function of a name, or null when none was declared yet. */
using Signatures = std::function<const Function*(const std::string&)>;

class Lowering {
public:
  Lowering(Function& function, const Signatures& signatures) : function_(function), signatures_(signatures) {}

  /** Variable `variable` of the function, a parameter or a result, is this register to its body. */
  void parameter(std::uint32_t variable, const Symbol& symbol);

  /** Begins the body. */
  void enter();
  /** Appends an instruction to the body. Throws PtxError. */
  void add(Instruction&& instruction);
  /** Ends the body: whoever arrives there returns. */
  void leave();

private:
  struct RegisterParameter {
    std::uint32_t variable = 0;
    Operand reg;
    bool result = false;
  };

  /** ld.param or st.param between a register (or constant) and a whole variable, guarded as `like` is. */
  void move(bool load, std::uint32_t variable, const Operand& reg, const Instruction& like);
  void storeResults(const Instruction& like);
  void call(Instruction&& instruction);
  const std::vector<Variable>* formals(const Instruction& call, bool results) const;
  bool isParameter(const Operand& operand) const;
  void moveWide(Instruction&& instruction);

  Function& function_;
  const Signatures& signatures_;
  std::vector<RegisterParameter> parameters_;
};

} // namespace simgpu::ptx
