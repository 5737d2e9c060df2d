#include "arith/bit_field.h"
#include "arith/integer.h"
#include "arith/packed_integer.h"
#include "arith/video.h"

#include "check.h"
#include "values.h"

using namespace simgpu::arith;
using namespace simgpu::testing;

namespace {

/** Operands of one integer type: the ends of its range, small values and random bits. */
template <class T> std::vector<T> operands() {
  std::vector<T> values;
  for (const std::int64_t small : {0, 1, 2, 3, 7, -1, -2, -7, 100, -100}) {
    values.push_back(static_cast<T>(small));
  }
  values.push_back(std::numeric_limits<T>::max());
  values.push_back(std::numeric_limits<T>::min());
  values.push_back(static_cast<T>(std::numeric_limits<T>::max() - 1));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 40; i++) {
    values.push_back(static_cast<T>(random() >> (random() % 60)));
  }
  return values;
}

/** Products against schoolbook 128-bit arithmetic. */
template <class T> void compareProducts() {
  for (const T a : operands<T>()) {
    for (const T b : operands<T>()) {
      const detail::Uint128 bits = static_cast<detail::Uint128>(a) * static_cast<detail::Uint128>(b);
      const auto product = static_cast<detail::Int128>(bits); // exact except for u64
      CHECK_EQUAL(mulLow(a, b), static_cast<T>(bits));
      if constexpr (sizeof(T) < 8 || std::is_signed_v<T>) {
        CHECK_EQUAL(mulHigh(a, b), static_cast<T>(product >> bitsIn<T>));
      } else {
        const detail::Uint128 unsignedProduct = static_cast<detail::Uint128>(a) * static_cast<detail::Uint128>(b);
        CHECK_EQUAL(mulHigh(a, b), static_cast<T>(unsignedProduct >> 64));
      }
      if constexpr (sizeof(T) < 8) {
        CHECK_EQUAL(mulWide(a, b), static_cast<Wide<T>>(product));
        CHECK_EQUAL(madWide(a, b, Wide<T>{5}), static_cast<Wide<T>>(bits + 5));
      }
      CHECK_EQUAL(madLow(a, b, T{3}), static_cast<T>(bits + 3));
      CHECK_EQUAL(madHigh(a, b, T{1}), static_cast<T>(mulHigh(a, b) + 1));
    }
  }
}

} // namespace

TEST("products of every integer type equal 128-bit arithmetic") {
  compareProducts<std::int16_t>();
  compareProducts<std::uint16_t>();
  compareProducts<std::int32_t>();
  compareProducts<std::uint32_t>();
  compareProducts<std::int64_t>();
  compareProducts<std::uint64_t>();
}

TEST("division survives zero and the one overflowing quotient") {
  CHECK_EQUAL(divide(7, -2), -3);
  CHECK_EQUAL(remainder(-7, 2), -1);
  CHECK_EQUAL(divide(7u, 0u), 0xffffffffu);
  CHECK_EQUAL(remainder(7u, 0u), 7u);
  const std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
  CHECK_EQUAL(divide(lowest, -1), lowest);
  CHECK_EQUAL(remainder(lowest, -1), 0);
  CHECK_EQUAL(divide(std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}),
              std::numeric_limits<std::int64_t>::min());
  CHECK_EQUAL(divide(std::uint16_t{65535}, std::uint16_t{10}), 6553);
  for (const std::int64_t a : operands<std::int64_t>()) {
    for (const std::int64_t b : operands<std::int64_t>()) {
      CHECK_EQUAL(wrappingAdd(mulLow(divide(a, b), b), remainder(a, b)), a);
    }
  }
}

TEST("carries propagate through chains of any width") {
  for (const std::uint64_t a : operands<std::uint64_t>()) {
    for (const std::uint64_t b : operands<std::uint64_t>()) {
      const auto low = addWithCarry(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b), false);
      const auto high =
          addWithCarry(static_cast<std::uint32_t>(a >> 32), static_cast<std::uint32_t>(b >> 32), low.carry);
      CHECK_EQUAL(std::uint64_t{high.value} << 32 | low.value, a + b);
      CHECK_EQUAL(high.carry, a + b < a);
      CHECK_EQUAL(addWithCarry(a, b, true).value, a + b + 1);
      CHECK_EQUAL(addWithCarry(a, b, true).carry, a + b + 1 <= a);
    }
  }
}

TEST("saturation, absolute values and differences") {
  CHECK_EQUAL(saturatingAdd(2000000000, 2000000000), 2147483647);
  CHECK_EQUAL(saturatingSub(-2000000000, 2000000000), -2147483647 - 1);
  CHECK_EQUAL(saturatingMadHigh(0x40000000, 0x40000000, 0x7fffffff), 2147483647);
  CHECK_EQUAL(absolute(-5), 5);
  CHECK_EQUAL(absolute(std::numeric_limits<std::int32_t>::min()), std::numeric_limits<std::int32_t>::min());
  CHECK_EQUAL(sumAbsoluteDifference(3, 10, 5), 12);
  CHECK_EQUAL(sumAbsoluteDifference(3u, 10u, 5u), 12u);
  CHECK_EQUAL(absoluteDifference(0x80000000u, 0x7fffffffu), 1u);
}

TEST("24-bit products use the low 24 bits of each operand") {
  CHECK_EQUAL(mul24Low(0xff000003u, 0x01000005u), 15u);
  CHECK_EQUAL(mul24Low(0x00ffffff, 0x00ffffff), 1); // -1 * -1
  CHECK_EQUAL(mul24High(0x00ffffffu, 0x00ffffffu), 0xfffffe00u);
  CHECK_EQUAL(mul24High(0x00800000, 0x00800000), 0x40000000);
}

TEST("shifts clamp at the width") {
  CHECK_EQUAL(shiftLeft(1u, 32), 0u);
  CHECK_EQUAL(shiftLeft(std::uint16_t{1}, 15), 0x8000);
  CHECK_EQUAL(shiftRight(-8, 200), -1);
  CHECK_EQUAL(shiftRight(0x80000000u, 31), 1u);
  CHECK_EQUAL(shiftRight(0x80000000u, 32), 0u);
  CHECK_EQUAL(shiftRight(std::int64_t{-1} << 40, 40), std::int64_t{-1});
}

TEST("lop3 computes its table for every table and every bit combination") {
  for (std::uint32_t table = 0; table < 256; table++) {
    const std::uint32_t result = lop3(0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa, table);
    CHECK_EQUAL(result, table * 0x01010101u); // the ISA derives the table from exactly these operands
  }
}

TEST("prmt picks and sign-replicates bytes, and its modes follow the table") {
  CHECK_EQUAL(permute(0x44332211, 0x88776655, 0x7610, PermuteMode::generic), 0x88772211u);
  CHECK_EQUAL(permute(0x00008011, 0, 0x9988, PermuteMode::generic), 0xffff0000u); // byte 1 is 0x80, byte 0 is 0x11
  CHECK_EQUAL(permute(0x44332211, 0x88776655, 1, PermuteMode::f4e), 0x55443322u);
  CHECK_EQUAL(permute(0x44332211, 0x88776655, 0, PermuteMode::b4e), 0x66778811u);
  CHECK_EQUAL(permute(0x44332211, 0x88776655, 3, PermuteMode::b4e), 0x11223344u);
  CHECK_EQUAL(permute(0x44332211, 0x88776655, 2, PermuteMode::rc8), 0x33333333u);
  CHECK_EQUAL(permute(0x44332211, 0x88776655, 1, PermuteMode::ecl), 0x44332222u);
  CHECK_EQUAL(permute(0x44332211, 0x88776655, 2, PermuteMode::ecr), 0x33332211u);
  CHECK_EQUAL(permute(0x44332211, 0x88776655, 7, PermuteMode::rc16), 0x44334433u);
}

TEST("bfe and bfi equal the ISA's pseudo-code for every position and length") {
  const auto extract = [](std::uint64_t a, int width, bool isSigned, int position, int length) {
    const int top = width - 1;
    const auto bit = [&](int i) { return (a >> i) & 1; };
    const std::uint64_t sign = !isSigned || length == 0 ? 0 : bit(std::min(position + length - 1, top));
    std::uint64_t d = 0;
    for (int i = 0; i <= top; i++) {
      d |= (i < length && position + i <= top ? bit(position + i) : sign) << i;
    }
    return d;
  };
  const auto insert = [](std::uint64_t a, std::uint64_t b, int width, int position, int length) {
    std::uint64_t f = b;
    for (int i = 0; i < length && position + i < width; i++) {
      f = (f & ~(std::uint64_t{1} << (position + i))) | ((a >> i) & 1) << (position + i);
    }
    return f;
  };
  std::mt19937_64 random(seed);
  for (int position = 0; position < 256; position += position < 70 ? 1 : 61) {
    for (int length = 0; length < 256; length += length < 70 ? 1 : 61) {
      const std::uint64_t a = random();
      const std::uint64_t b = random();
      const auto p = static_cast<std::uint32_t>(position + 256); // only the low eight bits count
      const auto n = static_cast<std::uint32_t>(length);
      const auto a32 = static_cast<std::uint32_t>(a);
      CHECK_EQUAL(bitFieldExtract(a32, p, n), extract(a32, 32, false, position, length));
      CHECK_EQUAL(static_cast<std::uint32_t>(bitFieldExtract(static_cast<std::int32_t>(a32), p, n)),
                  extract(a32, 32, true, position, length));
      CHECK_EQUAL(bitFieldExtract(a, p, n), extract(a, 64, false, position, length));
      CHECK_EQUAL(static_cast<std::uint64_t>(bitFieldExtract(static_cast<std::int64_t>(a), p, n)),
                  extract(a, 64, true, position, length));
      CHECK_EQUAL(bitFieldInsert(a32, static_cast<std::uint32_t>(b), p, n),
                  static_cast<std::uint32_t>(insert(a32, static_cast<std::uint32_t>(b), 32, position, length)));
      CHECK_EQUAL(bitFieldInsert(a, b, p, n), insert(a, b, 64, position, length));
    }
  }
}

TEST("bfind, brev and fns search bits") {
  CHECK_EQUAL(findLeadingBit(0u, false), 0xffffffffu);
  CHECK_EQUAL(findLeadingBit(-1, true), 0xffffffffu);
  CHECK_EQUAL(findLeadingBit(0x00010000u, false), 16u);
  CHECK_EQUAL(findLeadingBit(0x00010000u, true), 15u);
  CHECK_EQUAL(findLeadingBit(-3, false), 1u);
  CHECK_EQUAL(findLeadingBit(std::int64_t{1} << 40, true), 23u);
  CHECK_EQUAL(reverseBits(0x00000001u), 0x80000000u);
  CHECK_EQUAL(reverseBits(0x12345678u), 0x1e6a2c48u);
  CHECK_EQUAL(reverseBits(std::uint64_t{1}), std::uint64_t{1} << 63);
  CHECK_EQUAL(findNthSet(0x00000f10, 0, 1), 4u);
  CHECK_EQUAL(findNthSet(0x00000f10, 5, 2), 9u);
  CHECK_EQUAL(findNthSet(0x00000f10, 10, -3), 8u);
  CHECK_EQUAL(findNthSet(0x00000f10, 10, -6), 0xffffffffu);
  CHECK_EQUAL(findNthSet(0x00000f10, 4, 0), 4u);
  CHECK_EQUAL(findNthSet(0x00000f10, 3, 0), 0xffffffffu);
  CHECK_EQUAL(findNthSet(0xffffffff, 31, 1), 31u);
}

TEST("funnel shifts, szext and bmsk distinguish clamp from wrap") {
  CHECK_EQUAL(funnelShiftLeft(0x11223344, 0xaabbccdd, 8, false), 0xbbccdd11u);
  CHECK_EQUAL(funnelShiftLeft(0x11223344, 0xaabbccdd, 40, false), 0x11223344u);
  CHECK_EQUAL(funnelShiftLeft(0x11223344, 0xaabbccdd, 40, true), 0xbbccdd11u);
  CHECK_EQUAL(funnelShiftRight(0x11223344, 0xaabbccdd, 8, false), 0xdd112233u);
  CHECK_EQUAL(funnelShiftRight(0x11223344, 0xaabbccdd, 32, false), 0xaabbccddu);
  CHECK_EQUAL(funnelShiftRight(0x11223344, 0xaabbccdd, 32, true), 0x11223344u);
  CHECK_EQUAL(extendFrom(0x000000ff, 8, false), -1);
  CHECK_EQUAL(extendFrom(0xffffffffu, 8, false), 0xffu);
  CHECK_EQUAL(extendFrom(0x12345678, 40, false), 0x12345678);
  CHECK_EQUAL(extendFrom(0x12345678, 40, true), 0x78);
  CHECK_EQUAL(extendFrom(0x12345678, 0, false), 0);
  CHECK_EQUAL(bitMask(4, 8, false), 0x00000ff0u);
  CHECK_EQUAL(bitMask(28, 8, false), 0xf0000000u);
  CHECK_EQUAL(bitMask(0, 32, false), 0xffffffffu);
  CHECK_EQUAL(bitMask(0, 32, true), 0u);
  CHECK_EQUAL(bitMask(32, 4, false), 0u);
  CHECK_EQUAL(bitMask(33, 4, true), 0x1eu);
}

TEST("dot products extend each byte by its own type") {
  CHECK_EQUAL(dotBytes(0xff010203, 0x02020202, 10, false, false), 10u + 2 * (255 + 1 + 2 + 3));
  CHECK_EQUAL(dotBytes(0xff010203, 0x02020202, 10, true, false), 10u + 2 * (6 - 1));
  CHECK_EQUAL(dotBytes(0x80808080, 0x80808080, 0, true, true), 65536u);
  CHECK_EQUAL(dotHalves(0xffff0002, 0x0a0b0c0d, 1, true, false, false), static_cast<std::uint32_t>(1 + 2 * 13 - 12));
  CHECK_EQUAL(dotHalves(0xffff0002, 0x0a0b0c0d, 1, true, false, true), static_cast<std::uint32_t>(1 + 2 * 11 - 10));
}

TEST("SIMD video instructions select, saturate, merge and accumulate") {
  VideoInstruction difference = videoInstruction(VideoOperation::absoluteDifference, 4);
  CHECK_EQUAL(videoSimd(difference, 0x10ff0300, 0x20000a00, 0), 0x10ff0700u);
  difference.accumulate = true;
  CHECK_EQUAL(videoSimd(difference, 0x10ff0300, 0x20000a00, 1), 1u + 0x10 + 0xff + 7);
  VideoInstruction sum = videoInstruction(VideoOperation::add, 2);
  CHECK_EQUAL(videoSimd(sum, 0xffff0001, 0x00020001, 0), 0x00010002u);
  sum.saturate = true;
  CHECK_EQUAL(videoSimd(sum, 0xffff0001, 0x00020001, 0), 0xffff0002u);
  sum.mask = 1;
  CHECK_EQUAL(videoSimd(sum, 0xffff0001, 0x00020001, 0xabcd0000), 0xabcd0002u);
  VideoInstruction average = videoInstruction(VideoOperation::average, 4);
  average.aSigned = average.bSigned = average.resultSigned = true;
  CHECK_EQUAL(videoSimd(average, 0x000000fd, 0x00000000, 0), 0x000000feu); // (-3 + 0) >> 1
  VideoInstruction compare = videoInstruction(VideoOperation::lt, 4);
  CHECK_EQUAL(videoSimd(compare, 0x01020304, 0x02020202, 0), 0x01000000u);
  VideoInstruction reversed = videoInstruction(VideoOperation::max, 4);
  for (int i = 0; i < 4; i++) {
    reversed.aSelect[i] = static_cast<std::uint8_t>(3 - i);
  }
  CHECK_EQUAL(videoSimd(reversed, 0x01020304, 0, 0), 0x04030201u);
}

TEST("scalar video instructions extract, clamp, combine and merge") {
  const RegisterPart byte2{16, 8};
  CHECK_EQUAL(byte2.extract(0x12f45678, true), std::int64_t{-12});
  CHECK_EQUAL(byte2.extract(0x12f45678, false), std::int64_t{0xf4});
  CHECK_EQUAL(RegisterPart{}.extract(0x80000000, true), -(std::int64_t{1} << 31));
  CHECK_EQUAL(byte2.merge(-2, 0x11223344), 0x11fe3344u);
  ScalarVideo shift;
  shift.operation = VideoOperation::shiftLeft;
  shift.saturate = true;
  CHECK_EQUAL(videoScalar(shift, 0xffffffff, 40, 0), 0xffffffffu); // amounts stop at 32
  shift.saturate = false;
  CHECK_EQUAL(videoScalar(shift, 0xffffffff, 40, 0), 0u);
  shift.wrap = true;
  CHECK_EQUAL(videoScalar(shift, 1, 40, 0), 256u);
  ScalarVideo product;
  product.operation = VideoOperation::multiplyAdd;
  product.scale = 15;
  CHECK_EQUAL(videoScalar(product, 0xffffffff, 0xffffffff, 0xffffffff),
              static_cast<std::uint32_t>(0xffffffff00000000u >> 15));
  product.saturate = true;
  CHECK_EQUAL(videoScalar(product, 0xffffffff, 0xffffffff, 0), 0xffffffffu);
}

TEST("cvt.pack saturates both values and keeps the rest of c") {
  CHECK_EQUAL(packSaturated(-5, 300, 0x11223344, 8, false), 0x334400ffu);
  CHECK_EQUAL(packSaturated(-500, 100, 0x11223344, 8, true), 0x33448064u);
  CHECK_EQUAL(packSaturated(70000, -70000, 0, 16, true), 0x7fff8000u);
  CHECK_EQUAL(packSaturated(9, -9, 0x00000001, 4, true), 0x00000178u);
  CHECK_EQUAL(packSaturated(3, 1, 0, 2, false), 0x0000000du);
}
