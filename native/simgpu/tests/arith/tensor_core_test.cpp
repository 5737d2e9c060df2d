#include "arith/half_arithmetic.h"
#include "arith/mma.h"
#include "arith/tensor_core.h"

#include "check.h"
#include "values.h"

#include <array>
#include <fstream>

using namespace simgpu::arith;
using namespace simgpu::testing;

namespace {

/** One measured product of length eight. */
struct Measurement {
  std::array<std::uint16_t, 8> a;
  std::array<std::uint16_t, 8> b;
  std::uint32_t c;
  std::uint32_t d;
};

std::array<std::uint16_t, 8> halves(const std::string& digits) {
  std::array<std::uint16_t, 8> values;
  for (std::size_t i = 0; i < 8; i++) {
    values[i] = static_cast<std::uint16_t>(std::stoul(digits.substr(4 * i, 4), nullptr, 16));
  }
  return values;
}

const std::vector<Measurement>& measurements() {
  static const std::vector<Measurement> all = [] {
    std::vector<Measurement> read;
    std::ifstream file(SIMGPU_TEST_DATA "/tensorcore/a100-fp16.txt");
    for (std::string a, b, c, d; file >> a >> b >> c >> d;) {
      read.push_back({halves(a), halves(b), static_cast<std::uint32_t>(std::stoul(c, nullptr, 16)),
                      static_cast<std::uint32_t>(std::stoul(d, nullptr, 16))});
    }
    return read;
  }();
  return all;
}

std::array<float, 8> floats(const std::array<std::uint16_t, 8>& values) {
  std::array<float, 8> widened;
  for (std::size_t i = 0; i < 8; i++) {
    widened[i] = f16ToFloat(values[i]);
  }
  return widened;
}

} // namespace

TEST("the rounding model reproduces all 5,000 measured A100 results bit for bit") {
  CHECK_EQUAL(measurements().size(), std::size_t{5000});
  int exact = 0;
  for (const Measurement& m : measurements()) {
    const auto a = floats(m.a);
    const auto b = floats(m.b);
    exact += bitsOf(tensorDot(Element::f16, a.data(), b.data(), 8, floatOf(m.c))) == m.d ? 1 : 0;
  }
  CHECK_EQUAL(exact, 5000);
}

TEST("a chain of fp32 multiply-adds does not: the model is needed") {
  int exact = 0;
  for (const Measurement& m : measurements()) {
    float sum = floatOf(m.c);
    for (std::size_t i = 0; i < 8; i++) {
      sum = std::fma(f16ToFloat(m.a[i]), f16ToFloat(m.b[i]), sum);
    }
    exact += bitsOf(sum) == m.d ? 1 : 0;
  }
  CHECK_EQUAL(exact, 2350);
}

TEST("the mma instruction in exact mode reproduces the measurements, eight columns at a time") {
  MmaInstruction instruction{{16, 8, 8}, Element::f16, Element::f16, Element::f32, Element::f32};
  const auto mma = Mma::of(instruction);
  CHECK(mma.has_value());
  const Fragment cMap = Fragment::mma(instruction.shape, MatrixUse::c, Element::f32, false);
  int exact = 0;
  for (std::size_t first = 0; first + 8 <= measurements().size(); first += 8) {
    // Row r of A and column n of B belong to the same measurement on the diagonal only.
    std::uint32_t a[2][warpLanes];
    std::uint32_t b[1][warpLanes];
    float c[4][warpLanes];
    float d[4][warpLanes];
    for (std::size_t lane = 0; lane < warpLanes; lane++) {
      const Measurement& m = measurements()[first + lane / 4];
      const std::size_t at = 2 * (lane % 4);
      a[0][lane] = a[1][lane] = std::uint32_t{m.a[at + 1]} << 16 | m.a[at];
      b[0][lane] = std::uint32_t{m.b[at + 1]} << 16 | m.b[at];
      for (int index = 0; index < 4; index++) {
        const Position position = cMap.at(static_cast<int>(lane), index);
        c[index][lane] = floatOf(measurements()[first + position.column].c);
      }
    }
    const MmaOperands operands{{d[0], d[1], d[2], d[3]}, {a[0], a[1]}, {b[0]}, {c[0], c[1], c[2], c[3]}, nullptr};
    CHECK(!mma->execute(operands, Accumulation::exact).has_value());
    for (int lane = 0; lane < warpLanes; lane++) {
      for (int index = 0; index < 4; index++) {
        const Position position = cMap.at(lane, index);
        if (position.row % 8 == position.column) {
          exact += bitsOf(d[index][lane]) == measurements()[first + position.column].d ? 1 : 0;
        }
      }
    }
  }
  CHECK_EQUAL(exact, 2 * 5000); // rows g and g + 8 hold the same product
}

TEST("the vector form equals the scalar one for every operand type and extreme exponents") {
  std::mt19937_64 random(seed);
  for (const Element element : {Element::f16, Element::bf16, Element::tf32}) {
    const Format format = element == Element::f16 ? f16Format : element == Element::bf16 ? bf16Format : tf32Format;
    Patterns patterns(format, static_cast<std::uint64_t>(element));
    Patterns accumulators(f32Format, 77);
    const int count = tensorStep(element);
    const auto operand = [&] {
      std::uint64_t bits = random() % 16 == 0 ? 0 : patterns.next();
      if ((bits & format.infinity()) == format.infinity()) {
        bits ^= std::uint64_t{1} << format.fractionBits; // finite
      }
      return floatOf(static_cast<std::uint32_t>(softConvert(format, f32Format, bits, Rounding::nearestEven)));
    };
    for (int round = 0; round < 20000; round++) {
      float a[8];
      float b[8][8];
      TensorTerm terms[8];
      TensorRow split[8];
      const TensorRow* rows[8];
      float c[8];
      float original[8];
      for (int i = 0; i < 8; i++) {
        a[i] = operand();
        for (int n = 0; n < 8; n++) {
          b[i][n] = operand();
        }
        terms[i] = splitOperand(element, a[i]);
        split[i] = splitOperands(element, b[i]);
        rows[i] = &split[i];
        std::uint64_t bits = accumulators.next();
        if (random() % 2 == 0) {
          bits = softConvert(f64Format, f32Format, bitsOf(static_cast<double>(a[0]) * static_cast<double>(b[0][i])),
                             Rounding::nearestEven) ^ 0x80000000; // near cancellation
        }
        original[i] = c[i] = floatOf(static_cast<std::uint32_t>(bits));
      }
      if (!allFinite(c, 8)) {
        continue; // the caller takes the plain form
      }
      tensorDotRow(element, terms, rows, count, c);
      for (int n = 0; n < 8; n++) {
        float column[8];
        for (int i = 0; i < 8; i++) {
          column[i] = b[i][n];
        }
        CHECK_EQUAL(bitsOf(c[n]), bitsOf(tensorDot(element, a, column, count, original[n])));
      }
    }
  }
}

TEST("infinities and NaN come out of a tensor-core sum as out of any sum") {
  const float inf = INFINITY;
  const float ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  const float up[8] = {1, 1, inf, 1, 1, 1, 1, 1};
  const float both[8] = {1, -inf, inf, 1, 1, 1, 1, 1};
  CHECK_EQUAL(tensorDot(Element::f16, up, ones, 8, 0.0f), inf);
  CHECK_EQUAL(bitsOf(tensorDot(Element::f16, both, ones, 8, 0.0f)), canonicalNanF32);
  CHECK_EQUAL(bitsOf(tensorDot(Element::f16, up, ones, 8, -inf)), canonicalNanF32);
  CHECK_EQUAL(tensorDot(Element::f16, ones, ones, 8, -inf), -inf);
  const float huge[4] = {0x1p127f, 0x1p127f, 0, 0};
  CHECK_EQUAL(tensorDot(Element::tf32, huge, ones, 4, 0.0f), inf);
  const float zeros[8] = {};
  CHECK_EQUAL(bitsOf(tensorDot(Element::bf16, zeros, ones, 8, 0.0f)), 0u);
}

TEST("terms more than 24 bits below the largest are lost, one bit above is kept") {
  const float a[8] = {1, 0x1p-14f, 0, 0, 0, 0, 0, 0};
  const float kept[8] = {1, 0x1p-9f, 0, 0, 0, 0, 0, 0};  // 2^-23, the last bit of the result
  const float lost[8] = {1, 0x1p-11f, 0, 0, 0, 0, 0, 0}; // 2^-25: cut before the sum
  CHECK_EQUAL(tensorDot(Element::f16, a, kept, 8, 0.0f), 1.0f + 0x1p-23f);
  CHECK_EQUAL(tensorDot(Element::f16, a, lost, 8, 0.0f), 1.0f);
  const float halfway[8] = {1, 0x1p-10f, 0, 0, 0, 0, 0, 0}; // 2^-24 survives alignment; with c = 2^-24 it carries
  CHECK_EQUAL(tensorDot(Element::f16, a, halfway, 8, 0x1p-24f), 1.0f + 0x1p-23f);
  CHECK_EQUAL(tensorDot(Element::f16, a, halfway, 8, 0.0f), 1.0f);
}
