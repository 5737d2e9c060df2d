// Declares the kernels of convolutions. A file of kernels of one format defines what gemm/kernel.cuh names, before it uses
// CONVOLUTION_KERNEL.
#pragma once

#include "convolution/patches.cuh"
#include "gemm/linear.cuh"

#define CONVOLUTION_KERNEL(entry, ShapeType, tokensFrom, tokensTo)                                                      \
  extern "C" __global__ void __launch_bounds__(ShapeType::threads, ShapeType::blocks)                                   \
      entry(OPERANDS, const float* bias, const void* residual, void* y, int tokens, int rows, int columns, int pitchX,  \
            int pitchY, int pitchResidual, int activationKind, int wide, void* workspace, int height, int width,        \
            int outHeight, int outWidth, int windowHeight, int windowWidth, int strideHeight, int strideWidth,          \
            int padTop, int padLeft, int dilationHeight, int dilationWidth) {                                           \
    KERNEL_FACT("operation convolution");                                                                               \
    KERNEL_FACT("weights " WEIGHTS);                                                                                    \
    KERNEL_FACT("activation " ACTIVATION);                                                                              \
    KERNEL_FACT("grid streamK");                                                                                        \
    KERNEL_FACT("parameters " OPERAND_FACTS " bias:pointer residual:pointer y:pointer tokens:i32 rows:i32 columns:i32 " \
                "pitchX:i32 pitchY:i32 pitchResidual:i32 activationKind:i32 wide:i32 workspace:pointer height:i32 "     \
                "width:i32 outHeight:i32 outWidth:i32 windowHeight:i32 windowWidth:i32 strideHeight:i32 "               \
                "strideWidth:i32 padTop:i32 padLeft:i32 dilationHeight:i32 dilationWidth:i32");                         \
    KERNEL_FACT_3("tile", ShapeType::tileOut, ShapeType::tileTokens, ShapeType::tileK);                                 \
    KERNEL_FACT_1("threads", ShapeType::threads);                                                                       \
    KERNEL_FACT_1("sharedBytes", ShapeType::sharedBytes);                                                               \
    KERNEL_FACT_2("tokens", tokensFrom, tokensTo);                                                                      \
    filigree::ConvolutionArguments a;                                                                                   \
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
    a.height = height;                                                                                                  \
    a.width = width;                                                                                                    \
    a.outHeight = outHeight;                                                                                            \
    a.outWidth = outWidth;                                                                                              \
    a.windowHeight = windowHeight;                                                                                      \
    a.windowWidth = windowWidth;                                                                                        \
    a.strideHeight = strideHeight;                                                                                      \
    a.strideWidth = strideWidth;                                                                                        \
    a.padTop = padTop;                                                                                                  \
    a.padLeft = padLeft;                                                                                                \
    a.dilationHeight = dilationHeight;                                                                                  \
    a.dilationWidth = dilationWidth;                                                                                    \
    filigree::linear<ShapeType>(a);                                                                                     \
  }

