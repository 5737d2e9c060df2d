#include "arith/mma.h"

#include "arith/mma_kernel.h"

#include <cstring>

namespace simgpu::arith {

/** A tile of a wmma: which registers of each operand it takes, and whether it computes the transpose. */
struct TileStep {
  int a;
  int b;
  int c;
};

class MmaPlan {
public:
  TilePlan tile;
  MmaInstruction instruction;
  int aRegisters;
  int bRegisters;
  int cRegisters;
  int dRegisters;
  bool transposed = false; // wmma.m8n32k16: D^T = B^T A^T
  bool quadPairs = false;
  std::vector<TileStep> steps;
};

namespace {

bool isOneOf(MmaShape shape, std::initializer_list<MmaShape> shapes) {
  for (const MmaShape& candidate : shapes) {
    if (candidate == shape) {
      return true;
    }
  }
  return false;
}

bool isHalfOrFloat(Element element) { return element == Element::f16 || element == Element::f32; }
bool isByte(Element element) { return element == Element::s8 || element == Element::u8; }
bool isNibble(Element element) { return element == Element::s4 || element == Element::u4; }

constexpr bool isQuadPairShape(const MmaInstruction& i) { return i.shape == MmaShape{8, 8, 4} && i.a == Element::f16; }

/** The shapes and types of mma on sm_80 (ISA section 9.7.14.5.14). */
bool existsAsMma(const MmaInstruction& i) {
  const bool sameTypes = i.a == i.b;
  const bool floatSums = i.c == Element::f32 && i.d == Element::f32;
  const bool integerSums = i.c == Element::s32 && i.d == Element::s32;
  switch (i.a) {
  case Element::f16:
    if (!sameTypes || !isHalfOrFloat(i.c) || !isHalfOrFloat(i.d)) {
      return false;
    }
    return isQuadPairShape(i) ? !(i.c == Element::f32 && i.d == Element::f16)
                              : i.c == i.d && isOneOf(i.shape, {{16, 8, 8}, {16, 8, 16}});
  case Element::bf16:
    return sameTypes && floatSums && isOneOf(i.shape, {{16, 8, 8}, {16, 8, 16}});
  case Element::tf32:
    return sameTypes && floatSums && isOneOf(i.shape, {{16, 8, 4}, {16, 8, 8}});
  case Element::f64:
    return sameTypes && i.c == Element::f64 && i.d == Element::f64 && isOneOf(i.shape, {{8, 8, 4}});
  case Element::s8:
  case Element::u8:
    return isByte(i.b) && integerSums && isOneOf(i.shape, {{8, 8, 16}, {16, 8, 16}, {16, 8, 32}});
  case Element::s4:
  case Element::u4:
    return isNibble(i.b) && integerSums && isOneOf(i.shape, {{8, 8, 32}, {16, 8, 32}, {16, 8, 64}});
  case Element::b1:
    return sameTypes && integerSums && isOneOf(i.shape, {{8, 8, 128}, {16, 8, 128}, {16, 8, 256}});
  default:
    return false;
  }
}

/** mma.sp (section 9.7.14.6.3); the shape and selector are judged by SparseLayout. */
bool existsAsSparse(const MmaInstruction& i) {
  const bool floatSums = i.c == Element::f32 && i.d == Element::f32;
  switch (i.a) {
  case Element::f16:
    return i.b == i.a && isHalfOrFloat(i.c) && i.c == i.d;
  case Element::bf16:
  case Element::tf32:
    return i.b == i.a && floatSums;
  default:
    return ((isByte(i.a) && isByte(i.b)) || (isNibble(i.a) && isNibble(i.b))) && i.c == Element::s32 && i.d == i.c;
  }
}

/** wmma (section 9.7.14.4.5). */
bool existsAsWmma(const MmaInstruction& i) {
  const bool k16 = isOneOf(i.shape, {{16, 16, 16}, {8, 32, 16}, {32, 8, 16}});
  const bool floatSums = i.c == Element::f32 && i.d == Element::f32;
  const bool integerSums = i.c == Element::s32 && i.d == Element::s32;
  const bool rowColumn = !i.aColumnMajor && i.bColumnMajor; // the only layouts of sub-byte types
  if (i.a != i.b) {
    return false;
  }
  switch (i.a) {
  case Element::f16:
    return k16 && isHalfOrFloat(i.c) && isHalfOrFloat(i.d);
  case Element::bf16:
    return k16 && floatSums;
  case Element::tf32:
    return floatSums && isOneOf(i.shape, {{16, 16, 8}});
  case Element::f64:
    return i.c == Element::f64 && i.d == Element::f64 && isOneOf(i.shape, {{8, 8, 4}});
  case Element::s8:
  case Element::u8:
    return k16 && integerSums;
  case Element::s4:
  case Element::u4:
    return integerSums && rowColumn && isOneOf(i.shape, {{8, 8, 32}});
  case Element::b1:
    return integerSums && rowColumn && isOneOf(i.shape, {{8, 8, 128}});
  default:
    return false;
  }
}

Fragment fragmentOf(const MmaInstruction& i, MatrixUse use, Element element) {
  if (i.wmma) {
    return Fragment::wmma(i.shape, use, element);
  }
  if (isQuadPairShape(i)) {
    return Fragment::quadPair(use, element, use == MatrixUse::a ? i.aColumnMajor : i.bColumnMajor);
  }
  return Fragment::mma(i.shape, use, element, i.sparse);
}

/** The tile a wmma is made of, and the steps that cover it. */
void planTiles(MmaPlan& plan) {
  const MmaInstruction& i = plan.instruction;
  const bool tiled = i.wmma && i.shape.m * i.shape.n > 64;
  MmaInstruction tile = i;
  plan.transposed = tiled && i.shape.m == 8;
  if (tiled) {
    tile.shape = {16, 8, i.shape.k};
  }
  plan.tile = {tile, Fragment::mma(tile.shape, MatrixUse::a, tile.a, tile.sparse).registers(),
               Fragment::mma(tile.shape, MatrixUse::b, tile.b, false).registers(), tile.shape.m == 16,
               tile.sparse ? SparseLayout::of(tile.shape, tile.a, tile.selector) : std::nullopt};
  // Tiles follow each other down the tall side (A of the tile) or along the wide one (B); never both are repeated.
  const int tallTiles = tiled ? (plan.transposed ? i.shape.n : i.shape.m) / 16 : 1;
  const int wideTiles = tiled ? (plan.transposed ? i.shape.m : i.shape.n) / 8 : 1;
  for (int wide = 0; wide < wideTiles; wide++) {
    for (int tall = 0; tall < tallTiles; tall++) {
      plan.steps.push_back({tall, wide, wide * tallTiles + tall});
    }
  }
}

int tileAccumulators(const TilePlan& tile, Element element) {
  return Fragment::mma(tile.instruction.shape, MatrixUse::c, element, false).registers();
}

void multiplyTile(const TilePlan& plan, const TileOperands& operands, const SelectedRows* selected,
                  Accumulation accumulation) {
  switch (plan.instruction.a) {
  case Element::f16:
  case Element::bf16:
  case Element::tf32:
    multiplyFloatTile(plan, operands, selected, accumulation);
    return;
  case Element::f64:
    multiplyDoubleTile(plan, operands);
    return;
  case Element::b1:
    multiplyBitTile(plan, operands);
    return;
  default:
    multiplyIntegerTile(plan, operands, selected);
  }
}

} // namespace

std::optional<Mma> Mma::of(const MmaInstruction& instruction) {
  const bool exists = instruction.sparse ? existsAsSparse(instruction)
                      : instruction.wmma ? existsAsWmma(instruction)
                                         : existsAsMma(instruction);
  if (!exists || (instruction.sparse && !SparseLayout::of(instruction.shape, instruction.a, instruction.selector))) {
    return std::nullopt;
  }
  if (instruction.saturate && (instruction.c != Element::s32 || instruction.a == Element::b1)) {
    return std::nullopt;
  }
  if (!instruction.wmma && !isQuadPairShape(instruction) && (instruction.aColumnMajor || !instruction.bColumnMajor)) {
    return std::nullopt; // row.col is the only spelling
  }
  auto plan = std::make_shared<MmaPlan>();
  plan->instruction = instruction;
  plan->quadPairs = !instruction.wmma && isQuadPairShape(instruction);
  plan->aRegisters = fragmentOf(instruction, MatrixUse::a, instruction.a).registers();
  plan->bRegisters = fragmentOf(instruction, MatrixUse::b, instruction.b).registers();
  plan->cRegisters = fragmentOf(instruction, MatrixUse::c, instruction.c).registers();
  plan->dRegisters = fragmentOf(instruction, MatrixUse::c, instruction.d).registers();
  if (plan->quadPairs) {
    plan->tile.instruction = instruction;
  } else {
    planTiles(*plan);
  }
  return Mma(std::move(plan));
}

const MmaInstruction& Mma::instruction() const { return plan_->instruction; }
int Mma::aRegisters() const { return plan_->aRegisters; }
int Mma::bRegisters() const { return plan_->bRegisters; }
int Mma::cRegisters() const { return plan_->cRegisters; }
int Mma::dRegisters() const { return plan_->dRegisters; }

std::int64_t Mma::multiplyAdds() const {
  const MmaShape& shape = plan_->instruction.shape;
  return std::int64_t{shape.m} * shape.n * shape.k * (plan_->quadPairs ? 4 : 1);
}

std::optional<IllegalMetadata> Mma::execute(const MmaOperands& operands, Accumulation accumulation) const {
  const MmaPlan& plan = *plan_;
  if (plan.quadPairs) {
    multiplyQuadPairs(plan.tile, {operands.d, operands.a, operands.b, operands.c}, accumulation);
    return std::nullopt;
  }
  SelectedRows selected;
  if (plan.tile.layout) {
    const auto illegal =
        findIllegalMetadata(*plan.tile.layout, plan.instruction.a, plan.instruction.ordered, operands.metadata);
    if (illegal) {
      return illegal;
    }
    selectRows(plan.tile, operands.metadata, selected);
  }
  const SelectedRows* rows = plan.tile.layout ? &selected : nullptr;
  if (plan.steps.size() == 1) {
    multiplyTile(plan.tile, {operands.d, operands.a, operands.b, operands.c}, rows, accumulation);
    return std::nullopt;
  }
  // D may share registers with A and B, which later tiles still read: results wait until all are there.
  std::uint32_t results[8][warpLanes];
  void* waiting[8];
  for (int i = 0; i < plan.dRegisters; i++) {
    waiting[i] = results[i];
  }
  const int cTile = tileAccumulators(plan.tile, plan.instruction.c);
  const int dTile = tileAccumulators(plan.tile, plan.instruction.d);
  const void* const* tall = plan.transposed ? operands.b : operands.a;
  const void* const* wide = plan.transposed ? operands.a : operands.b;
  for (const TileStep& step : plan.steps) {
    const TileOperands tile{waiting + step.c * dTile, tall + step.a * plan.tile.aRegisters,
                            wide + step.b * plan.tile.bRegisters, operands.c + step.c * cTile};
    multiplyTile(plan.tile, tile, rows, accumulation);
  }
  for (int i = 0; i < plan.dRegisters; i++) {
    std::memcpy(operands.d[i], results[i], sizeof results[i]);
  }
  return std::nullopt;
}

} // namespace simgpu::arith
