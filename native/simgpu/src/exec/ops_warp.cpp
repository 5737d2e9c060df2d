// Instructions that exchange values between lanes. The interpreter has made sure that the lanes a membermask names are
// together (OpKind::collective); lanes with different membermasks may still be in one call.
#include "exec/bit_operations.h"
#include "exec/block.h"
#include "exec/lanes.h"
#include "exec/opcode_table.h"
#include "exec/shuffle.h"

#include <bit>

namespace simgpu {

namespace {

using ptx::Operand;
using ptx::Type;
constexpr InstructionClass collectiveClass = InstructionClass::warpCollective;

/** Calls action(lanes) for every set of lanes with one membermask. */
template <class Action> void bySet(Warp& warp, const Op& op, std::uint32_t mask, Action action) {
  const auto* members = warp.slot<std::uint32_t>(op.e);
  for (std::uint32_t left = mask; left != 0;) {
    const std::uint32_t value = members[std::countr_zero(left)];
    std::uint32_t same = 0;
    forEachLane(left, [&](int lane) { same |= members[lane] == value ? 1u << lane : 0; });
    action(same);
    left &= ~same;
  }
}

enum class ShuffleMode : std::uint8_t { up, down, bfly, idx };

/** A value of a lane that is elsewhere, has exited or is not in the membermask is not defined. */
void checkSources(Warp& warp, const Op& op, std::uint32_t mask, const ShuffleSources& sources) {
  const auto* members = warp.slot<std::uint32_t>(op.e);
  forEachLane(mask & sources.inRange, [&](int lane) {
    const int from = sources.lane[static_cast<std::size_t>(lane)];
    if (((mask & members[lane]) >> from & 1) != 0) {
      return;
    }
    for (std::uint32_t byte = 0; byte < sizeof(std::uint32_t); byte++) {
      warp.suspect(op, lane, byte, FindingKind::divergentWarpSync, [&] {
        Finding finding = warp.launch.locate(FindingKind::divergentWarpSync, Status::launchFailed, warp, op, lane);
        finding.detail = "the value comes from lane " + std::to_string(from) + ", which " +
                         ((members[lane] >> from & 1) == 0 ? "is not in the membermask" : "does not take part");
        return finding;
      });
    }
  });
}

void shuffle(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint32_t>(op.a);
  const ShuffleSources sources = shuffleSources(warp, op);
  if (warp.launch.settings.checks) {
    checkSources(warp, op, mask, sources);
  }
  std::uint32_t result[lanesPerWarp];
  for (std::size_t lane = 0; lane < lanesPerWarp; lane++) {
    result[lane] = a[sources.lane[lane]];
  }
  storeLanes(warp.slot<std::uint32_t>(op.d), mask, [&](int lane) { return result[lane]; });
  if (op.d2 != noSlot) {
    warp.setPredicate(op.d2, mask, sources.inRange);
  }
}

enum class VoteMode : std::uint8_t { all, any, uni };

void votePredicate(Warp& warp, const Op& op, std::uint32_t mask) {
  const std::uint32_t value = warp.predicate(op.a);
  std::uint32_t result = 0;
  bySet(warp, op, mask, [&](std::uint32_t lanes) {
    const std::uint32_t yes = value & lanes;
    const bool truth = static_cast<VoteMode>(op.n) == VoteMode::all   ? yes == lanes
                       : static_cast<VoteMode>(op.n) == VoteMode::any ? yes != 0
                                                                      : yes == lanes || yes == 0;
    result |= truth ? lanes : 0;
  });
  warp.setPredicate(op.d, mask, result);
}

void ballot(Warp& warp, const Op& op, std::uint32_t mask) {
  const std::uint32_t value = warp.predicate(op.a);
  auto* d = warp.slot<std::uint32_t>(op.d);
  bySet(warp, op, mask, [&](std::uint32_t lanes) { forEachLane(lanes, [&](int lane) { d[lane] = value & lanes; }); });
}

template <class T> void matchAny(Warp& warp, const Op& op, std::uint32_t mask) {
  const T* a = warp.slot<T>(op.a);
  std::uint32_t result[lanesPerWarp]{};
  bySet(warp, op, mask, [&](std::uint32_t lanes) {
    forEachLane(lanes, [&](int lane) {
      forEachLane(lanes, [&](int other) { result[lane] |= a[other] == a[lane] ? 1u << other : 0; });
    });
  });
  auto* d = warp.slot<std::uint32_t>(op.d);
  forEachLane(mask, [&](int lane) { d[lane] = result[lane]; });
}

template <class T> void matchAll(Warp& warp, const Op& op, std::uint32_t mask) {
  const T* a = warp.slot<T>(op.a);
  std::uint32_t equal = 0;
  std::uint32_t result[lanesPerWarp]{};
  bySet(warp, op, mask, [&](std::uint32_t lanes) {
    const T first = a[std::countr_zero(lanes)];
    bool same = true;
    forEachLane(lanes, [&](int lane) { same = same && a[lane] == first; });
    equal |= same ? lanes : 0;
    forEachLane(lanes, [&](int lane) { result[lane] = same ? lanes : 0; });
  });
  auto* d = warp.slot<std::uint32_t>(op.d);
  forEachLane(mask, [&](int lane) { d[lane] = result[lane]; });
  if (op.d2 != noSlot) {
    warp.setPredicate(op.d2, mask, equal);
  }
}

struct Sum {
  template <class T> static T apply(T a, T b) { return a + b; }
};
struct Least {
  template <class T> static T apply(T a, T b) { return a < b ? a : b; }
};
struct Most {
  template <class T> static T apply(T a, T b) { return a > b ? a : b; }
};

template <class F, class T> void reduce(Warp& warp, const Op& op, std::uint32_t mask) {
  const T* a = warp.slot<T>(op.a);
  T result[lanesPerWarp]{};
  bySet(warp, op, mask, [&](std::uint32_t lanes) {
    const int first = std::countr_zero(lanes);
    T value = a[first];
    forEachLane(lanes & ~(1u << first), [&](int lane) { value = F::apply(value, a[lane]); });
    forEachLane(lanes, [&](int lane) { result[lane] = value; });
  });
  T* d = warp.slot<T>(op.d);
  forEachLane(mask, [&](int lane) { d[lane] = result[lane]; });
}

void activeMask(Warp& warp, const Op& op, std::uint32_t mask) {
  storeLanes(warp.slot<std::uint32_t>(op.d), mask, [mask](int) { return mask; });
}

void requireSync(Decoder& d) {
  if (!d.take("sync")) {
    d.fail("without .sync the instruction does not exist since sm_70");
  }
}

/** Result d or d|p of 32 bits. */
void takeResults(Decoder& d, ValueId& value, ValueId& predicate) {
  const Operand& result = d.operand(0);
  const bool pair = result.kind == Operand::Kind::pair;
  value = d.destination(pair ? result.elements[0] : result, 4);
  predicate = pair ? d.destination(result.elements[1], 0) : 0;
}

} // namespace

ShuffleSources shuffleSources(const Warp& warp, const Op& op) {
  const auto* b = warp.slot<std::uint32_t>(op.b);
  const auto* c = warp.slot<std::uint32_t>(op.c);
  ShuffleSources sources;
  const auto mode = static_cast<ShuffleMode>(op.n);
  for (std::uint32_t lane = 0; lane < lanesPerWarp; lane++) {
    const std::uint32_t offset = b[lane] & 0x1f;
    const std::uint32_t limit = c[lane] & 0x1f;
    const std::uint32_t segment = c[lane] >> 8 & 0x1f;
    const std::uint32_t most = (lane & segment) | (limit & ~segment);
    const std::uint32_t least = lane & segment;
    std::uint32_t from = lane;
    bool valid = false;
    switch (mode) {
    case ShuffleMode::up:
      from = lane - offset;
      valid = static_cast<std::int32_t>(from) >= static_cast<std::int32_t>(most);
      break;
    case ShuffleMode::down:
      from = lane + offset;
      valid = from <= most;
      break;
    case ShuffleMode::bfly:
      from = lane ^ offset;
      valid = from <= most;
      break;
    case ShuffleMode::idx:
      from = least | (offset & ~segment);
      valid = from <= most;
      break;
    }
    sources.inRange |= static_cast<std::uint32_t>(valid) << lane;
    sources.lane[lane] = static_cast<std::uint8_t>(valid ? from & 31 : lane);
  }
  return sources;
}

void decodeShuffle(Decoder& d) {
  requireSync(d);
  const auto mode = d.takeAny({"up", "down", "bfly", "idx"});
  if (!mode || d.takeType() != Type::b32) {
    d.fail("the form is shfl.sync.{up,down,bfly,idx}.b32");
  }
  d.expectOperands(5, 5);
  const ValueId a = d.source(1, Type::b32);
  const ValueId b = d.source(2, Type::b32);
  const ValueId c = d.source(3, Type::b32);
  const ValueId members = d.source(4, Type::b32);
  ValueId to = 0;
  ValueId p = 0;
  takeResults(d, to, p);
  Op& op = d.emit(shuffle, collectiveClass);
  op.kind = OpKind::collective;
  op.a = a;
  op.b = b;
  op.c = c;
  op.e = members;
  op.d = to;
  op.d2 = p;
  op.n = static_cast<std::uint8_t>(*mode);
}

void decodeVote(Decoder& d) {
  requireSync(d);
  const auto mode = d.takeAny({"all", "any", "uni", "ballot"});
  const Type type = d.takeType();
  if (!mode || type != (*mode == 3 ? Type::b32 : Type::pred)) {
    d.fail("the form is vote.sync.{all,any,uni}.pred or vote.sync.ballot.b32");
  }
  d.expectOperands(3, 3);
  const ValueId a = d.predicate(1);
  const ValueId members = d.source(2, Type::b32);
  const ValueId to = d.destination(0, *mode == 3 ? 4 : 0);
  Op& op = d.emit(*mode == 3 ? ballot : votePredicate, collectiveClass);
  op.kind = OpKind::collective;
  op.a = a;
  op.e = members;
  op.d = to;
  op.n = static_cast<std::uint8_t>(*mode);
}

void decodeMatch(Decoder& d) {
  const auto mode = d.takeAny({"any", "all"});
  requireSync(d);
  const Type type = d.takeType();
  if (!mode || (type != Type::b32 && type != Type::b64)) {
    d.fail("the form is match.{any,all}.sync.{b32,b64}");
  }
  d.expectOperands(3, 3);
  const ValueId a = d.source(1, type);
  const ValueId members = d.source(2, Type::b32);
  ValueId to = 0;
  ValueId p = 0;
  takeResults(d, to, p);
  const bool narrow = type == Type::b32;
  Op& op = d.emit(*mode == 0 ? (narrow ? matchAny<std::uint32_t> : matchAny<std::uint64_t>)
                             : (narrow ? matchAll<std::uint32_t> : matchAll<std::uint64_t>),
                  collectiveClass);
  op.kind = OpKind::collective;
  op.a = a;
  op.e = members;
  op.d = to;
  op.d2 = p;
}

void decodeRedux(Decoder& d) {
  requireSync(d);
  const auto operation = d.takeAny({"add", "min", "max", "and", "or", "xor"});
  const Type type = d.takeType();
  const bool logic = operation.value_or(0) >= 3;
  if (!operation || ptx::sizeOf(type) != 4 || ptx::isFloat(type) || logic != (type == Type::b32)) {
    d.fail("the form is redux.sync.{add,min,max}.{u32,s32} or redux.sync.{and,or,xor}.b32");
  }
  using U = std::uint32_t;
  using S = std::int32_t;
  const bool isSigned = type == Type::s32;
  const Handler handlers[] = {
      reduce<Sum, U>, isSigned ? reduce<Least, S> : reduce<Least, U>, isSigned ? reduce<Most, S> : reduce<Most, U>,
      reduce<And, U>, reduce<Or, U>, reduce<Xor, U>};
  d.expectOperands(3, 3);
  const ValueId a = d.source(1, type);
  const ValueId members = d.source(2, Type::b32);
  const ValueId to = d.destination(0, 4);
  Op& op = d.emit(handlers[*operation], collectiveClass);
  op.kind = OpKind::collective;
  op.a = a;
  op.e = members;
  op.d = to;
}

void decodeActiveMask(Decoder& d) {
  if (d.takeType() != Type::b32) {
    d.fail("the type must be .b32");
  }
  const ValueId to = d.destination(0, 4);
  d.emit(activeMask, collectiveClass).d = to;
}

} // namespace simgpu
