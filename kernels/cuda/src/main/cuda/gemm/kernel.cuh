// Declares the kernels of linear layers. A file of kernels of one format defines, before it uses LINEAR_KERNEL,
//
//   OPERANDS        the parameters that belong to the format, as a list of C++ parameters
//   OPERAND_FACTS   the same for the manifest
//   SET_OPERANDS(a) stores them in the Arguments a
//   WEIGHTS         structure and values, for the manifest
//   ACTIVATION      type of the activations, for the manifest
#pragma once

#include "gemm/linear.cuh"

#define LINEAR_KERNEL(entry, ShapeType, tokensFrom, tokensTo)                                                           \
  extern "C" __global__ void __launch_bounds__(ShapeType::threads, ShapeType::blocks)                                   \
      entry(OPERANDS, const float* bias, const void* residual, void* y, int tokens, int rows, int columns, int pitchX,  \
            int pitchY, int pitchResidual, int activationKind, int wide, void* workspace) {                             \
    KERNEL_FACT("operation linear");                                                                                    \
    KERNEL_FACT("weights " WEIGHTS);                                                                                    \
    KERNEL_FACT("activation " ACTIVATION);                                                                              \
    KERNEL_FACT("grid streamK");                                                                                        \
    KERNEL_FACT("parameters " OPERAND_FACTS " bias:pointer residual:pointer y:pointer tokens:i32 rows:i32 columns:i32 " \
                "pitchX:i32 pitchY:i32 pitchResidual:i32 activationKind:i32 wide:i32 workspace:pointer");               \
    KERNEL_FACT_3("tile", ShapeType::tileOut, ShapeType::tileTokens, ShapeType::tileK);                                 \
    KERNEL_FACT_1("threads", ShapeType::threads);                                                                       \
    KERNEL_FACT_1("sharedBytes", ShapeType::sharedBytes);                                                               \
    KERNEL_FACT_2("tokens", tokensFrom, tokensTo);                                                                      \
    filigree::Arguments a;                                                                                              \
    SET_OPERANDS(a);                                                                                                    \
    a.bias = bias;                                                                                                      \
    a.residual = residual;                                                                                              \
    a.y = y;                                                                                                            \
    a.tokens = tokens;                                                                                                  \
    a.rows = rows;                                                                                                      \
    a.columns = columns;                                                                                                \
    a.pitchX = pitchX;                                                                                                  \
    a.pitchY = pitchY;                                                                                                  \
    a.pitchResidual = pitchResidual;                                                                                    \
    a.activationKind = activationKind;                                                                                  \
    a.wide = wide;                                                                                                      \
    a.workspace = workspace;                                                                                            \
    filigree::linear<ShapeType>(a);                                                                                     \
  }

/** No end to the tokens. */
#define ANY_TOKENS 2147483647
