// Integer matrices for GEMM tests: small values, so that products are exact in every type and compared bit by bit.
#pragma once

#include "device.h"

#include "arith/conversion.h"
#include "arith/fragment.h"

#include <functional>

namespace simgpu::testing {

using arith::Element;

/** A matrix of small integers, and its bytes as elements of a type, rows contiguous. */
struct Operand {
  int rows;
  int columns;
  std::vector<int> values;

  Operand(Inputs& inputs, Element element, int r, int c) : rows(r), columns(c), values(at(r * c)) {
    for (int& v : values) {
      v = element == Element::b1                             ? inputs.integer(0, 1)
          : element == Element::u4                           ? inputs.integer(0, 15)
          : element == Element::s4                           ? inputs.integer(-8, 7)
          : element == Element::u8                           ? inputs.integer(0, 255)
          : element == Element::s8                           ? inputs.integer(-128, 127)
                                                             : inputs.integer(-6, 6);
    }
  }
  Operand(int r, int c) : rows(r), columns(c), values(at(r * c)) {}

  int& value(int r, int c) { return values[at(r * columns + c)]; }
  int value(int r, int c) const { return values[at(r * columns + c)]; }

  std::vector<std::uint8_t> bytes(Element element) const {
    const int bits = arith::elementBits(element);
    std::vector<std::uint8_t> result(at(rows * columns * bits / 8));
    for (std::size_t i = 0; i < values.size(); i++) {
      const auto real = static_cast<float>(values[i]);
      std::uint64_t pattern = static_cast<std::uint64_t>(static_cast<std::int64_t>(values[i]));
      switch (element) {
      case Element::f16:
        pattern = toF16(real);
        break;
      case Element::bf16:
        pattern = toBf16(real);
        break;
      case Element::tf32:
      case Element::f32:
        pattern = arith::bitsOf(real);
        break;
      case Element::f64:
        pattern = arith::bitsOf(static_cast<double>(real));
        break;
      default:
        break;
      }
      if (bits >= 8) {
        std::memcpy(result.data() + i * at(bits) / 8, &pattern, at(bits) / 8);
      } else {
        const std::size_t per = 8 / at(bits);
        result[i / per] |= static_cast<std::uint8_t>((pattern & ((1u << bits) - 1)) << (i % per * at(bits)));
      }
    }
    return result;
  }
};

using Combine = std::function<int(int, int)>;

inline std::vector<std::int32_t> product(const Operand& a, const Operand& b,
                                         const Combine& combine = std::multiplies<int>()) {
  std::vector<std::int32_t> c;
  for (int m = 0; m < a.rows; m++) {
    for (int n = 0; n < b.rows; n++) {
      std::int32_t sum = 0;
      for (int k = 0; k < a.columns; k++) {
        sum += combine(a.value(m, k), b.value(n, k));
      }
      c.push_back(sum);
    }
  }
  return c;
}

template <class T> std::vector<T> as(const std::vector<std::int32_t>& values) { return {values.begin(), values.end()}; }

} // namespace simgpu::testing
