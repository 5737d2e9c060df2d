// int8 by AMX; panels are encoded and single tokens multiplied by AVX-512 VNNI, which every such processor has.
#include "isa_avx512.h"

#define FG_NAME(name) FG_JOIN(name)
#define FG_JOIN(name) fg_##name##_amx
#define FG_KIND int8_linear
#define FG_TILE_DOT(c, a, b) tile_dot_s8_u8(c, a, b)
#define FG_SUM_LOAD(p) i_load(p)
#define FG_ONE_TOKEN fg_int8_linear_avx512

#include "linear.h"
#include "activation.h"
#include "int8_end.h"

void FG_ONE_TOKEN(const struct fg_linear *l, int64_t start, int64_t width, int64_t from, int64_t to);

#include "amx.h"
