// setp, set, selp, slct.
#include "arith/comparison.h"
#include "arith/half_arithmetic.h"
#include "exec/lanes.h"
#include "exec/opcode_table.h"

#include <utility>

namespace simgpu {

namespace {

using arith::Comparison;
using ptx::Type;

enum class Combine : std::uint8_t { none, logicalAnd, logicalOr, logicalXor };

constexpr std::size_t comparisonCount = 18;

/** A 16-bit float in a register slot; compared as a float. */
template <class H> struct HalfValue {
  std::uint16_t bits;
};

template <class T> T widened(T value) { return value; }
template <class H> float widened(HalfValue<H> value) { return H::widen(value.bits); }

struct Flushed {
  float value;
};
inline float widened(Flushed value) { return arith::flush(value.value); }

template <Comparison C, class T> std::uint32_t compareLanes(const Warp& warp, const Op& op) {
  const T* a = warp.slot<T>(op.a);
  const T* b = warp.slot<T>(op.b);
  // bytes first: the comparison vectorises, the packing of 32 bytes to bits is one instruction
  std::uint8_t truth[lanesPerWarp];
  for (int lane = 0; lane < lanesPerWarp; lane++) {
    truth[lane] = arith::compare<C>(widened(a[lane]), widened(b[lane])) ? 0xff : 0;
  }
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(truth));
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
}

using Compare = std::uint32_t (*)(const Warp&, const Op&);

template <class T, bool Float> constexpr bool comparable(Comparison comparison) {
  const bool unsignedSpelling = comparison >= Comparison::lo && comparison <= Comparison::hs;
  const bool unordered = comparison >= Comparison::equ;
  return Float ? !unsignedSpelling : !unordered;
}

template <class T, bool Float, std::size_t... I>
Compare compareOf(Comparison comparison, std::index_sequence<I...>) {
  Compare result = nullptr;
  const auto consider = [&]<Comparison C>() {
    if constexpr (comparable<T, Float>(C)) {
      if (comparison == C) {
        result = compareLanes<C, T>;
      }
    }
  };
  (consider.template operator()<static_cast<Comparison>(I)>(), ...);
  return result;
}

template <class T, bool Float> Compare compareOf(Comparison comparison) {
  return compareOf<T, Float>(comparison, std::make_index_sequence<comparisonCount>{});
}

Compare compareFor(Decoder& d, Type type, Comparison comparison, bool flush) {
  Compare compare = nullptr;
  switch (type) {
  case Type::b16:
  case Type::u16:
    compare = compareOf<std::uint16_t, false>(comparison);
    break;
  case Type::s16:
    compare = compareOf<std::int16_t, false>(comparison);
    break;
  case Type::b32:
  case Type::u32:
    compare = compareOf<std::uint32_t, false>(comparison);
    break;
  case Type::s32:
    compare = compareOf<std::int32_t, false>(comparison);
    break;
  case Type::b64:
  case Type::u64:
    compare = compareOf<std::uint64_t, false>(comparison);
    break;
  case Type::s64:
    compare = compareOf<std::int64_t, false>(comparison);
    break;
  case Type::f32:
    compare = flush ? compareOf<Flushed, true>(comparison) : compareOf<float, true>(comparison);
    break;
  case Type::f64:
    compare = compareOf<double, true>(comparison);
    break;
  case Type::f16:
    compare = compareOf<HalfValue<arith::F16>, true>(comparison);
    break;
  case Type::bf16:
    compare = compareOf<HalfValue<arith::Bf16>, true>(comparison);
    break;
  default:
    break;
  }
  if (compare == nullptr) {
    d.fail("this comparison does not exist for type ." + std::string(ptx::typeName(type)));
  }
  return compare;
}

std::uint32_t combined(const Warp& warp, const Op& op, std::uint32_t value) {
  switch (static_cast<Combine>(op.n)) {
  case Combine::logicalAnd:
    return value & warp.predicate(op.c);
  case Combine::logicalOr:
    return value | warp.predicate(op.c);
  case Combine::logicalXor:
    return value ^ warp.predicate(op.c);
  case Combine::none:
    break;
  }
  return value;
}

/** p|q = (a op b) combined with c; q with the negated comparison. */
void setPredicates(Warp& warp, const Op& op, std::uint32_t mask) {
  const std::uint32_t truth = reinterpret_cast<Compare>(op.imm)(warp, op);
  // both results before either is written: c may be p
  const std::uint32_t p = combined(warp, op, truth);
  const std::uint32_t q = combined(warp, op, ~truth);
  warp.setPredicate(op.d, mask, p);
  if (op.d2 != noSlot) {
    warp.setPredicate(op.d2, mask, q);
  }
}

/** set: ones or 1.0 where true. */
template <class D> void setValue(Warp& warp, const Op& op, std::uint32_t mask) {
  const std::uint32_t truth = combined(warp, op, reinterpret_cast<Compare>(op.imm)(warp, op));
  const auto yes = static_cast<D>(op.flags == 0 ? ~std::uint64_t{0} : op.flags == 1 ? 0x3f800000 : op.flags == 2 ? 0x3c00 : 0x3f80);
  storeLanes(warp.slot<D>(op.d), mask, [=](int lane) { return (truth >> lane & 1) != 0 ? yes : D{0}; });
}

/** set and setp on packed halves: `results` 1.0 or ones per half, or two predicates. */
template <class H> void compareHalves(const Warp& warp, const Op& op, Comparison comparison, std::uint32_t& low, std::uint32_t& high) {
  const auto* a = warp.slot<std::uint16_t>(op.a);
  const auto* b = warp.slot<std::uint16_t>(op.b);
  low = 0;
  high = 0;
  const auto test = [&]<std::size_t... I>(float x, float y, std::index_sequence<I...>) {
    bool result = false;
    const auto one = [&]<Comparison C>() {
      if constexpr (comparable<float, true>(C)) {
        result = comparison == C ? arith::compare<C>(x, y) : result;
      }
    };
    (one.template operator()<static_cast<Comparison>(I)>(), ...);
    return result;
  };
  for (int lane = 0; lane < lanesPerWarp; lane++) {
    const auto all = std::make_index_sequence<comparisonCount>{};
    low |= static_cast<std::uint32_t>(test(H::widen(a[2 * lane]), H::widen(b[2 * lane]), all)) << lane;
    high |= static_cast<std::uint32_t>(test(H::widen(a[2 * lane + 1]), H::widen(b[2 * lane + 1]), all)) << lane;
  }
}

template <class H> void setPackedPredicates(Warp& warp, const Op& op, std::uint32_t mask) {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  compareHalves<H>(warp, op, static_cast<Comparison>(op.imm), low, high);
  low = combined(warp, op, low);
  high = combined(warp, op, high);
  warp.setPredicate(op.d, mask, low);
  warp.setPredicate(op.d2, mask, high);
}

template <class H> void setPackedValue(Warp& warp, const Op& op, std::uint32_t mask) {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  compareHalves<H>(warp, op, static_cast<Comparison>(op.imm), low, high);
  low = combined(warp, op, low);
  high = combined(warp, op, high);
  const std::uint32_t yes = op.flags == 0 ? 0xffff : op.flags == 2 ? 0x3c00 : 0x3f80;
  storeLanes(warp.slot<std::uint32_t>(op.d), mask, [=](int lane) {
    return ((low >> lane & 1) != 0 ? yes : 0) | ((high >> lane & 1) != 0 ? yes << 16 : 0);
  });
}

Comparison takeComparison(Decoder& d) {
  // in the order of arith::Comparison
  const auto comparison = d.takeAny({"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu",
                                     "leu", "gtu", "geu", "num", "nan"});
  if (!comparison) {
    d.fail("the comparison is missing");
  }
  return static_cast<Comparison>(*comparison);
}

Combine takeCombine(Decoder& d) {
  const auto combine = d.takeAny({"and", "or", "xor"});
  return combine ? static_cast<Combine>(*combine + 1) : Combine::none;
}

/** lo, ls, hi, hs are the unsigned comparisons whatever the type says. */
Type comparedType(Type type, Comparison comparison) {
  const bool unsignedSpelling = comparison >= Comparison::lo && comparison <= Comparison::hs;
  if (!unsignedSpelling) {
    return type;
  }
  return type == Type::s16 ? Type::u16 : type == Type::s32 ? Type::u32 : type == Type::s64 ? Type::u64 : type;
}

template <class T> void select(Warp& warp, const Op& op, std::uint32_t mask) {
  const T* a = warp.slot<T>(op.a);
  const T* b = warp.slot<T>(op.b);
  const std::uint32_t p = warp.predicate(op.c);
  storeLanes(warp.slot<T>(op.d), mask, [=](int lane) { return (p >> lane & 1) != 0 ? a[lane] : b[lane]; });
}

void selectPredicate(Warp& warp, const Op& op, std::uint32_t mask) {
  const std::uint32_t p = warp.predicate(op.c);
  warp.setPredicate(op.d, mask, (p & warp.predicate(op.a)) | (~p & warp.predicate(op.b)));
}

/** a where c >= 0, else b; -0 counts as 0, NaN does not. A negative subnormal is -0 when flushed. */
template <class T, class C> void selectBySign(Warp& warp, const Op& op, std::uint32_t mask) {
  const T* a = warp.slot<T>(op.a);
  const T* b = warp.slot<T>(op.b);
  const C* c = warp.slot<C>(op.c);
  storeLanes(warp.slot<T>(op.d), mask, [=](int lane) { return widened(c[lane]) >= 0 ? a[lane] : b[lane]; });
}

} // namespace

void decodeSetp(Decoder& d) {
  const Comparison comparison = takeComparison(d);
  const Combine combine = takeCombine(d);
  const bool flush = d.take("ftz");
  const Type type = d.takeType();
  const bool packed = type == Type::f16x2 || type == Type::bf16x2;
  d.expectOperands(combine == Combine::none ? 3 : 4, combine == Combine::none ? 3 : 4);
  const ValueId a = d.source(1, type);
  const ValueId b = d.source(2, type);
  const ValueId c = combine == Combine::none ? 0 : d.predicate(3);
  const ptx::Operand& result = d.operand(0);
  const bool pair = result.kind == ptx::Operand::Kind::pair;
  if (packed && !pair) {
    d.fail("a packed comparison has two results p|q");
  }
  const ValueId p = d.destination(pair ? result.elements[0] : result, 0);
  const ValueId q = pair ? d.destination(result.elements[1], 0) : 0;
  const Handler handler = !packed               ? setPredicates
                          : type == Type::f16x2 ? setPackedPredicates<arith::F16>
                                                : setPackedPredicates<arith::Bf16>;
  const std::uint64_t imm =
      packed ? static_cast<std::uint64_t>(comparison)
             : reinterpret_cast<std::uint64_t>(compareFor(d, comparedType(type, comparison), comparison, flush));
  Op& op = d.emit(handler, InstructionClass::predicate);
  op.a = a;
  op.b = b;
  op.c = c;
  op.d = p;
  op.d2 = q;
  op.n = static_cast<std::uint8_t>(combine);
  op.imm = imm;
}

void decodeSet(Decoder& d) {
  const Comparison comparison = takeComparison(d);
  const Combine combine = takeCombine(d);
  const bool flush = d.take("ftz");
  const Type result = d.takeType();
  const Type type = d.maybeType().value_or(result); // set.eq.f16x2 of bf16x2 and the like repeat the type
  const bool packed = type == Type::f16x2 || type == Type::bf16x2;
  d.expectOperands(combine == Combine::none ? 3 : 4, combine == Combine::none ? 3 : 4);
  const ValueId a = d.source(1, type);
  const ValueId b = d.source(2, type);
  const ValueId c = combine == Combine::none ? 0 : d.predicate(3);
  const std::uint32_t size = ptx::sizeOf(result);
  if (size != 2 && size != 4) {
    d.fail("the result must have 16 or 32 bits");
  }
  const ValueId to = d.destination(0, size);
  Handler handler = nullptr;
  std::uint64_t imm = static_cast<std::uint64_t>(comparison);
  if (packed) {
    handler = type == Type::f16x2 ? setPackedValue<arith::F16> : setPackedValue<arith::Bf16>;
  } else {
    handler = size == 4 ? setValue<std::uint32_t> : setValue<std::uint16_t>;
    imm = reinterpret_cast<std::uint64_t>(compareFor(d, comparedType(type, comparison), comparison, flush));
  }
  Op& op = d.emit(handler, InstructionClass::predicate);
  op.a = a;
  op.b = b;
  op.c = c;
  op.d = to;
  op.n = static_cast<std::uint8_t>(combine);
  op.imm = imm;
  op.flags = result == Type::f32                              ? 1
             : result == Type::f16 || result == Type::f16x2   ? 2
             : result == Type::bf16 || result == Type::bf16x2 ? 3
                                                              : 0;
}

void decodeSelp(Decoder& d) {
  const Type type = d.takeType();
  d.expectOperands(4, 4);
  const ValueId a = d.source(1, type);
  const ValueId b = d.source(2, type);
  const ValueId c = d.predicate(3);
  const ValueId to = d.destination(0, type == Type::pred ? 0 : std::max(2u, ptx::sizeOf(type)));
  const Handler handler = type == Type::pred
                              ? Handler{selectPredicate}
                              : forBits(d, type, []<class T>(TypeTag<T>) -> Handler { return select<T>; });
  Op& op = d.emit(handler, InstructionClass::move);
  op.a = a;
  op.b = b;
  op.c = c;
  op.d = to;
}

void decodeSlct(Decoder& d) {
  const bool flush = d.take("ftz");
  const Type type = d.takeType();
  const Type selector = d.takeType();
  if (selector != Type::s32 && selector != Type::f32) {
    d.fail("the selector must be .s32 or .f32");
  }
  const Handler handler = forBits(d, type, [&]<class T>(TypeTag<T>) -> Handler {
    return selector == Type::s32 ? Handler{selectBySign<T, std::int32_t>}
           : flush               ? Handler{selectBySign<T, Flushed>}
                                 : Handler{selectBySign<T, float>};
  });
  emitTernary(d, handler, InstructionClass::move, type, type, type, selector);
}

} // namespace simgpu
