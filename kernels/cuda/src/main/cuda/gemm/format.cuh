// How weights become operands of the tensor core. A format's Rows are what a warp keeps of its rows in registers; its Step
// is the operand A of one step, made of the addresses of the lane's first bytes of values, of metadata and of the
// parameters of its rows' groups, and of the Rows. panel.cuh draws where these lie.
#pragma once

#include "gemm/format/values.cuh"
#include "gemm/format/bytes.cuh"
#include "gemm/format/codes.cuh"
#include "gemm/format/groups.cuh"
#include "gemm/format/books.cuh"
