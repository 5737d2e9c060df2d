#include "device.h"

#include "arith/bit_field.h"

#include <array>
#include <cstdlib>

using namespace simgpu;
using namespace simgpu::testing;

namespace {

__extension__ using Int128 = __int128;
__extension__ using Uint128 = unsigned __int128;

std::vector<long long> wideOperands(Inputs& inputs, std::size_t n) {
  std::vector<long long> values(n);
  for (std::size_t i = 0; i < n; i++) {
    values[i] = static_cast<long long>(inputs.bits() >> (inputs.bits() % 60));
    if (inputs.integer(0, 1) != 0) {
      values[i] = -values[i];
    }
  }
  return values;
}

std::uint32_t low32(long long v) { return static_cast<std::uint32_t>(v); }
std::int32_t int32(long long v) { return static_cast<std::int32_t>(v); }

} // namespace

TEST("division and remainder of all widths, by variables and by constants") {
  Device device;
  Inputs inputs(20);
  const std::size_t n = 300;
  const auto a = wideOperands(inputs, n);
  auto b = wideOperands(inputs, n);
  for (long long& v : b) {
    v |= 1; // no low word may be zero: a zero divisor has no defined quotient
  }
  const auto da = device.upload(a), db = device.upload(b), out = device.allocate(n * 10 * 8);
  device.launch("integer", "divisions", {3}, {128}, {static_cast<int>(n), da, db, out});
  std::vector<long long> expected(n * 10);
  for (std::size_t i = 0; i < n; i++) {
    long long* o = expected.data() + 10 * i;
    const long long x = int32(a[i]), y = int32(b[i]);
    o[0] = int32(x / y);
    o[1] = x % y;
    o[2] = low32(x) / low32(y);
    o[3] = low32(x) % low32(y);
    o[4] = a[i] / b[i];
    o[5] = a[i] % b[i];
    o[6] = static_cast<long long>(static_cast<std::uint64_t>(a[i]) / static_cast<std::uint64_t>(b[i]));
    o[7] = static_cast<long long>(static_cast<std::uint64_t>(a[i]) % static_cast<std::uint64_t>(b[i]));
    o[8] = static_cast<std::uint32_t>(int32(x) / 7) + low32(x) / 10u + static_cast<std::uint32_t>(int32(x) % 1000);
    const auto odd = int32(y) | 1;
    o[9] = static_cast<std::uint16_t>(x) / static_cast<std::uint16_t>(odd) +
           static_cast<std::int16_t>(x) / static_cast<std::int16_t>(odd);
  }
  expectSame(device.download<long long>(out, n * 10), expected, "quotients");
}

TEST("high, wide and 24-bit products") {
  Device device;
  Inputs inputs(21);
  const std::size_t n = 300;
  const auto a = wideOperands(inputs, n), b = wideOperands(inputs, n);
  const auto da = device.upload(a), db = device.upload(b), out = device.allocate(n * 8 * 8);
  device.launch("integer", "products", {3}, {128}, {static_cast<int>(n), da, db, out});
  std::vector<long long> expected(n * 8);
  for (std::size_t i = 0; i < n; i++) {
    long long* o = expected.data() + 8 * i;
    const long long x = int32(a[i]), y = int32(b[i]);
    o[0] = (x * y) >> 32;
    o[1] = static_cast<long long>((std::uint64_t{low32(x)} * low32(y)) >> 32);
    o[2] = static_cast<long long>((Int128{a[i]} * b[i]) >> 64);
    o[3] = static_cast<long long>((Uint128{static_cast<std::uint64_t>(a[i])} * static_cast<std::uint64_t>(b[i])) >> 64);
    o[4] = x * y;
    o[5] = int32(static_cast<long long>(int32(x << 8) >> 8) * (int32(y << 8) >> 8));
    o[6] = static_cast<long long>(std::uint64_t{low32(x)} * low32(y) + static_cast<std::uint64_t>(a[i]));
    const std::uint32_t unsignedDistance = low32(x) > low32(y) ? low32(x) - low32(y) : low32(y) - low32(x);
    const std::uint32_t signedDistance = x > y ? low32(x - y) : low32(y - x);
    o[7] = std::uint32_t(static_cast<std::int16_t>(x) * static_cast<std::int16_t>(y)) + unsignedDistance + 3 +
           signedDistance + 5;
  }
  expectSame(device.download<long long>(out, n * 8), expected, "products");
}

TEST("256-bit multiply-add and 128-bit subtraction by carry chains") {
  Device device;
  Inputs inputs(22);
  const std::size_t n = 40;
  std::vector<std::uint32_t> a(n * 8), b(n * 8), c(n * 8);
  for (auto* v : {&a, &b, &c}) {
    for (std::uint32_t& word : *v) {
      word = inputs.integer(0, 3) == 0 ? 0xffffffff : static_cast<std::uint32_t>(inputs.bits());
    }
  }
  const auto da = device.upload(a), db = device.upload(b), dc = device.upload(c);
  device.launch("integer", "big_multiply_add", {1}, {64}, {static_cast<int>(n), da, db, dc});
  std::vector<std::uint32_t> expected = c;
  for (std::size_t i = 0; i < n; i++) {
    for (std::size_t j = 0; j < 8; j++) {
      std::uint64_t carry = 0;
      for (std::size_t k = 0; j + k < 8; k++) {
        const std::uint64_t sum = std::uint64_t{a[8 * i + k]} * b[8 * i + j] + expected[8 * i + j + k] + carry;
        expected[8 * i + j + k] = static_cast<std::uint32_t>(sum);
        carry = sum >> 32;
      }
    }
  }
  expectSame(device.download<std::uint32_t>(dc, n * 8), expected, "a*b + c");
  const std::size_t pairs = n * 2;
  const auto difference = device.allocate(pairs * 16), borrow = device.allocate(pairs * 4);
  device.launch("integer", "big_subtract", {2}, {64}, {static_cast<int>(pairs), da, db, difference, borrow});
  std::vector<std::uint32_t> wanted(pairs * 4), borrows(pairs);
  for (std::size_t i = 0; i < pairs; i++) {
    Uint128 x = 0, y = 0;
    for (std::size_t k = 4; k-- > 0;) {
      x = x << 32 | a[4 * i + k];
      y = y << 32 | b[4 * i + k];
    }
    for (std::size_t k = 0; k < 4; k++) {
      wanted[4 * i + k] = static_cast<std::uint32_t>((x - y) >> (32 * k));
    }
    borrows[i] = x < y ? 0xffffffff : 0;
  }
  expectSame(device.download<std::uint32_t>(difference, pairs * 4), wanted, "a - b");
  expectSame(device.download<std::uint32_t>(borrow, pairs), borrows, "borrow");
}

TEST("bit manipulation") {
  Device device;
  Inputs inputs(23);
  const std::size_t n = 300;
  std::vector<std::uint32_t> x(n), y(n);
  for (std::size_t i = 0; i < n; i++) {
    x[i] =
        i < 4 ? static_cast<std::uint32_t>(i) - 1 : static_cast<std::uint32_t>(inputs.bits() >> (inputs.bits() % 32));
    y[i] = static_cast<std::uint32_t>(inputs.bits());
  }
  const auto dx = device.upload(x), dy = device.upload(y), out = device.allocate(n * 20 * 4);
  device.launch("integer", "bit_tricks", {3}, {128}, {static_cast<int>(n), dx, dy, out});
  std::vector<std::uint32_t> expected(n * 20);
  for (std::size_t i = 0; i < n; i++) {
    const std::uint32_t a = x[i], b = y[i];
    std::uint32_t* o = expected.data() + 20 * i;
    const auto bit = [](std::uint32_t v, int k) { return (v >> k) & 1; };
    std::uint32_t reversed = 0;
    for (int k = 0; k < 32; k++) {
      reversed |= bit(a, k) << (31 - k);
    }
    const int first = a == 0 ? 0 : std::countr_zero(a) + 1;
    o[0] = static_cast<std::uint32_t>(std::popcount(a) + 100 * std::countl_zero(a) + 10000 * first);
    o[1] = reversed;
    const std::array<std::uint32_t, 8> bytes{a & 255, a >> 8 & 255, a >> 16 & 255, a >> 24,
                                             b & 255, b >> 8 & 255, b >> 16 & 255, b >> 24};
    o[2] = bytes[0] | bytes[4] << 8 | bytes[1] << 16 | bytes[5] << 24;
    const std::uint64_t both = std::uint64_t{b} << 32 | a;
    o[3] = static_cast<std::uint32_t>((both << (b & 31)) >> 32);
    o[4] = static_cast<std::uint32_t>(both >> std::min(b & 63, 32u));
    o[5] = ((a & b) ^ (~a & (b << 3))) | (a >> 5);
    o[6] = arith::findNthSet(a, b & 31, static_cast<int>(b >> 5 & 7) - 3);
    o[7] = static_cast<std::uint32_t>(std::popcount(a) + std::popcount(b) + 32 + std::countl_zero(b));
    const auto position = static_cast<int>(b & 31), length = static_cast<int>(b >> 5 & 31);
    std::uint32_t field = 0, signedField = 0;
    const std::uint32_t sign = length == 0 ? 0 : bit(a, std::min(position + length - 1, 31));
    for (int k = 0; k < 32; k++) {
      const bool inside = k < length && position + k < 32;
      field |= (inside ? bit(a, position + k) : 0) << k;
      signedField |= (inside ? bit(a, position + k) : sign) << k;
    }
    o[8] = field;
    o[9] = signedField;
    std::uint32_t inserted = b;
    for (int k = 0; k < static_cast<int>(a & 31) && position + k < 32; k++) {
      inserted = (inserted & ~(1u << (position + k))) | bit(a, k) << (position + k);
    }
    o[10] = inserted;
    o[11] = a == 0 ? 0xffffffff : static_cast<std::uint32_t>(31 - std::countl_zero(a));
    const std::uint32_t magnitude = (a & 0x80000000) != 0 ? ~a : a;
    o[12] = magnitude == 0 ? 0xffffffff : static_cast<std::uint32_t>(std::countl_zero(magnitude));
    o[13] = static_cast<std::uint32_t>(both >> (8 * (b & 3)));
    o[14] = (b & 1) != 0 ? (a >> 16) * 0x10001 : (a & 0xffff) * 0x10001;
    o[15] = a ^ b ^ (a * 3);
    o[16] = arith::bitMask(a & 31, b & 31, false);
    const int width = static_cast<int>(b & 31);
    o[17] = width == 0 ? 0 : static_cast<std::uint32_t>(static_cast<std::int32_t>(a << (32 - width)) >> (32 - width));
    const std::int64_t sum = std::int64_t{static_cast<std::int32_t>(a)} + static_cast<std::int32_t>(b);
    o[18] = static_cast<std::uint32_t>(std::clamp<std::int64_t>(sum, -2147483648LL, 2147483647LL));
    std::uint32_t reversedHigh = 0;
    for (int k = 0; k < 32; k++) {
      reversedHigh |= bit(b, k) << (31 - k);
    }
    o[19] = reversedHigh;
  }
  expectSame(device.download<std::uint32_t>(out, n * 20), expected, "bits");
}

TEST("packed dot products and differences") {
  Device device;
  Inputs inputs(24);
  const std::size_t n = 200;
  std::vector<std::int32_t> a(n), b(n);
  for (std::size_t i = 0; i < n; i++) {
    a[i] = static_cast<std::int32_t>(inputs.bits());
    b[i] = static_cast<std::int32_t>(inputs.bits());
  }
  const auto da = device.upload(a), db = device.upload(b), out = device.allocate(n * 6 * 4);
  device.launch("integer", "dot_products", {2}, {128}, {static_cast<int>(n), da, db, out});
  std::vector<std::int32_t> expected(n * 6);
  for (std::size_t i = 0; i < n; i++) {
    std::int32_t* o = expected.data() + 6 * i;
    std::uint32_t signedDot = 7, unsignedDot = 7, differences = 0, sad = 0;
    for (int k = 0; k < 4; k++) {
      const auto ua = static_cast<std::uint8_t>(a[i] >> (8 * k)), ub = static_cast<std::uint8_t>(b[i] >> (8 * k));
      signedDot += static_cast<std::uint32_t>(static_cast<std::int8_t>(ua) * static_cast<std::int8_t>(ub));
      unsignedDot += static_cast<std::uint32_t>(ua * ub);
      differences |= static_cast<std::uint32_t>(std::abs(ua - ub)) << (8 * k);
      sad += static_cast<std::uint32_t>(std::abs(ua - ub));
    }
    o[0] = static_cast<std::int32_t>(signedDot);
    o[1] = static_cast<std::int32_t>(unsignedDot);
    o[2] = 11 + static_cast<std::int16_t>(a[i]) * static_cast<std::int8_t>(b[i]) +
           static_cast<std::int16_t>(a[i] >> 16) * static_cast<std::int8_t>(b[i] >> 8);
    o[3] = static_cast<std::int32_t>(
        11u + static_cast<std::uint16_t>(a[i]) * std::uint32_t{static_cast<std::uint8_t>(b[i] >> 16)} +
        static_cast<std::uint16_t>(a[i] >> 16) * std::uint32_t{static_cast<std::uint8_t>(b[i] >> 24)});
    o[4] = static_cast<std::int32_t>(differences);
    o[5] = static_cast<std::int32_t>(sad);
  }
  expectSame(device.download<std::int32_t>(out, n * 6), expected, "dots");
}

TEST("CRC-32 through a table in constant memory") {
  Device device;
  Inputs inputs(25);
  std::vector<std::uint32_t> table(256);
  for (std::uint32_t i = 0; i < 256; i++) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; k++) {
      c = (c & 1) != 0 ? 0xedb88320 ^ (c >> 1) : c >> 1;
    }
    table[i] = c;
  }
  const GlobalInfo* variable = device.module("integer").global("crcTable");
  CHECK(variable != nullptr);
  CHECK_EQUAL(variable->size, std::uint64_t{1024});
  CHECK_EQUAL(device.memory().copyIn(variable->address, table.data(), 1024), MemoryStatus::ok);
  const std::size_t rows = 70, length = 33;
  const auto text = inputs.integers<std::uint8_t>(rows * length, 0, 255);
  const auto dt = device.upload(text), out = device.allocate(rows * 4);
  device.launch("integer", "crc32_rows", {2}, {64}, {static_cast<int>(rows), static_cast<int>(length), dt, out});
  std::vector<std::uint32_t> expected(rows);
  for (std::size_t i = 0; i < rows; i++) {
    std::uint32_t crc = ~0u;
    for (std::size_t k = 0; k < length; k++) {
      crc ^= text[i * length + k];
      for (int b = 0; b < 8; b++) {
        crc = (crc & 1) != 0 ? 0xedb88320 ^ (crc >> 1) : crc >> 1;
      }
    }
    expected[i] = ~crc;
  }
  expectSame(device.download<std::uint32_t>(out, rows), expected, "crc");
}

TEST("a stack machine with a switch in a divergent loop") {
  Device device;
  Inputs inputs(26);
  const std::size_t n = 130;
  const auto program = inputs.integers<std::uint8_t>(40, 0, 9);
  const auto input = inputs.integers(n, -1000, 1000);
  const auto dp = device.upload(program), di = device.upload(input), out = device.allocate(n * 4);
  device.launch("integer", "stack_machine", {2}, {96},
                {static_cast<int>(n), static_cast<int>(program.size()), dp, di, out});
  std::vector<std::uint32_t> expected(n);
  for (std::size_t i = 0; i < n; i++) {
    std::array<std::uint32_t, 8> stack{};
    stack[0] = static_cast<std::uint32_t>(input[i]);
    std::size_t top = 0;
    for (std::size_t pc = 0; pc < program.size(); pc++) {
      switch (program[pc]) {
      case 0: if (top < 7) { stack[top + 1] = stack[top]; top++; } break;
      case 1: stack[top] += static_cast<std::uint32_t>(i); break;
      case 2: stack[top] = 0 - stack[top]; break;
      case 3: if (top > 0) { stack[top - 1] += stack[top]; top--; } break;
      case 4: if (top > 0) { stack[top - 1] *= stack[top]; top--; } break;
      case 5: stack[top] ^= 0x5a5a; break;
      case 6: stack[top] = static_cast<std::uint32_t>(static_cast<std::int32_t>(stack[top]) >> 1); break;
      case 7: if ((stack[top] & 1) != 0) { pc++; } break;
      default: stack[top] = stack[top] * 3 + 1;
      }
    }
    expected[i] = stack[top];
  }
  expectSame(device.download<std::uint32_t>(out, n), expected, "stack machine");
}

TEST("loops whose trip counts differ in every lane, and modular powers") {
  Device device;
  Inputs inputs(27);
  const std::size_t n = 150;
  std::vector<std::uint64_t> start(n);
  std::vector<std::uint32_t> exponents(n);
  for (std::size_t i = 0; i < n; i++) {
    start[i] = i + 1;
    exponents[i] = static_cast<std::uint32_t>(inputs.bits() % 100000);
  }
  const auto ds = device.upload(start), de = device.upload(exponents), steps = device.allocate(n * 4),
             powers = device.allocate(n * 8);
  device.launch("integer", "collatz", {2}, {96}, {static_cast<int>(n), ds, steps});
  const std::uint64_t modulus = 1000000007;
  device.launch("integer", "modular_power", {2}, {96}, {static_cast<int>(n), ds, de, modulus, powers});
  std::vector<std::int32_t> counts(n);
  std::vector<std::uint64_t> expected(n);
  for (std::size_t i = 0; i < n; i++) {
    for (std::uint64_t x = start[i]; x != 1; x = x % 2 == 0 ? x / 2 : 3 * x + 1) {
      counts[i]++;
    }
    std::uint64_t power = 1;
    for (std::uint32_t e = 0; e < exponents[i]; e++) {
      power = power * (start[i] % modulus) % modulus;
    }
    expected[i] = power;
  }
  expectSame(device.download<std::int32_t>(steps, n), counts, "steps");
  expectSame(device.download<std::uint64_t>(powers, n), expected, "powers");
}
