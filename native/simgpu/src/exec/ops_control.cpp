// bra, brx.idx, call, ret, exit, trap, nanosleep.
#include "exec/builtin.h"
#include "exec/lanes.h"
#include "exec/opcode_table.h"

#include <memory>

namespace simgpu {

namespace {

using ptx::Operand;
using ptx::Type;
constexpr InstructionClass controlClass = InstructionClass::control;

const ptx::Table& tableOf(Decoder& d, const Operand& operand) {
  if (operand.kind != Operand::Kind::table) {
    d.fail("'" + operand.name + "' is not a table of targets or a prototype");
  }
  return d.function().tables[operand.index];
}

void decodeIndexed(Decoder& d) {
  d.take("uni");
  d.expectOperands(2, 2);
  const ValueId index = d.source(0, Type::u32);
  const ptx::Table& table = tableOf(d, d.operand(1));
  if (table.prototype) {
    d.fail("a .branchtargets list is needed");
  }
  auto targets = std::make_shared<std::vector<std::uint32_t>>(table.entries.size());
  for (std::size_t i = 0; i < table.entries.size(); i++) {
    d.tableEntry(targets.get(), i, table.entries[i]);
  }
  const std::uint64_t imm = d.keep(std::shared_ptr<const std::vector<std::uint32_t>>(targets));
  Op& op = d.emit(nullptr, controlClass);
  op.kind = OpKind::branchIndexed;
  op.a = index;
  op.imm = imm;
}

/** The ranges of call-site parameters: each must be a .param variable of this function. */
std::vector<LocalRange> rangesOf(Decoder& d, const Operand& list) {
  std::vector<LocalRange> ranges;
  for (const Operand& element : list.elements) {
    if (element.kind != Operand::Kind::variable || element.moduleScope ||
        d.function().variables[element.index].space != ptx::Space::param) {
      d.unsupported("call operands must be .param variables");
    }
    ranges.push_back(d.localRange(element.index));
  }
  return ranges;
}

void checkSizes(Decoder& d, const std::vector<LocalRange>& actual, const std::vector<ptx::Variable>& formal,
                const std::string& what) {
  const bool variadic = !formal.empty() && formal.back().unsized; // whose last argument may be missing, or any array
  if (actual.size() != formal.size() && !(variadic && actual.size() + 1 == formal.size())) {
    d.fail("the call has " + std::to_string(actual.size()) + " " + what + ", the callee " + std::to_string(formal.size()));
  }
  for (std::size_t i = 0; i < actual.size(); i++) {
    if (actual[i].size != formal[i].size && !formal[i].unsized) {
      d.fail("the sizes of " + what + " " + std::to_string(i) + " differ");
    }
  }
}

} // namespace

void decodeBranch(Decoder& d) {
  if (d.instruction().opcode() == "brx") {
    if (!d.take("idx")) {
      d.fail(".idx is missing");
    }
    decodeIndexed(d);
    return;
  }
  d.take("uni");
  d.expectOperands(1, 1);
  Op& op = d.emit(nullptr, controlClass);
  op.kind = OpKind::branch;
  d.branchTo(op, d.operand(0));
}

void decodeCall(Decoder& d) {
  d.take("uni");
  std::size_t at = 0;
  CallSite site;
  if (d.operand(0).kind == Operand::Kind::list) {
    site.returns = rangesOf(d, d.operand(at++));
  }
  const Operand& target = d.operand(at++);
  if (at < d.operandCount() && d.operand(at).kind == Operand::Kind::list) {
    site.arguments = rangesOf(d, d.operand(at++));
  }
  const auto place = static_cast<std::uint32_t>(d.code().calls.size());
  if (target.kind == Operand::Kind::function) {
    const ptx::Function& callee = d.context().module->functions[target.index];
    if (callee.entry) {
      d.fail("a kernel cannot be called");
    }
    checkSizes(d, site.arguments, callee.parameters, "parameters");
    checkSizes(d, site.returns, callee.returns, "results");
    const Handler builtin = callee.defined ? nullptr : findBuiltin(callee.name);
    if (!callee.defined && builtin == nullptr) {
      if (callee.name.starts_with("cuda") || callee.name.starts_with("__cuda")) {
        d.unsupported("function '" + callee.name + "' of the device runtime: launches by kernels are not simulated");
      }
      d.fail("function '" + callee.name + "' is not defined");
    }
    site.function = target.index;
    Op& op = d.emit(builtin, controlClass);
    op.kind = builtin != nullptr ? OpKind::plain : OpKind::call;
    op.target = place;
  } else {
    // a prototype, or a list of possible targets that all have the signature of the first
    const ptx::Table& table = tableOf(d, d.operand(at));
    if (table.prototype) {
      checkSizes(d, site.arguments, table.parameters, "parameters");
      checkSizes(d, site.returns, table.returns, "results");
    }
    const ValueId address = d.source(target, Type::u64);
    Op& op = d.emit(nullptr, controlClass);
    op.kind = OpKind::callIndirect;
    op.a = address;
    op.target = place;
  }
  d.code().calls.push_back(std::move(site));
}

void decodeReturn(Decoder& d) {
  d.take("uni");
  const bool exits = d.instruction().opcode() == "exit";
  Op& op = d.emit(nullptr, controlClass);
  op.kind = exits ? OpKind::exit : OpKind::ret;
}

void decodeTrap(Decoder& d) { d.emit(nullptr, controlClass).kind = OpKind::trap; }

void decodeNanosleep(Decoder& d) {
  if (d.takeType() != Type::u32) {
    d.fail("the type must be .u32");
  }
  d.source(0, Type::u32);
  d.emit(nullptr, controlClass).kind = OpKind::yield;
}

void decodeNothing(Decoder& d) {
  d.takeAny({"launch_dependents", "wait", "mask"});
  d.emit([](Warp&, const Op&, std::uint32_t) {}, InstructionClass::other);
}

} // namespace simgpu
