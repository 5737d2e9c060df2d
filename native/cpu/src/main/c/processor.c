// What processor and kernel permit.
#define _GNU_SOURCE
#include <cpuid.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linear.h"

// The bits that dev.filigree.kernels.cpu.Processor reads.
enum {
  FG_AVX2 = 1,
  FG_AVX_VNNI = 2,
  FG_AVX512_VNNI = 4,
  FG_AVX512_BF16 = 8,
  FG_AMX_INT8 = 16,
  FG_AMX_BF16 = 32
};

// Register files whose state the kernel saves, as bits of XCR0 (Intel SDM volume 1, chapter 13).
enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6, XCR0_TILES = 0x60000 };

// arch_prctl(2): asks for the use of a register file that a process does not have by default.
enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

static uint64_t enabled_states(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static int has(uint32_t word, int bit) { return (word >> bit) & 1; }

// Kernels that can run here. Asks the kernel for the tile registers where the processor has them.
FG_EXPORT int64_t fg_processor(void) {
  uint32_t a, b, c, d, a1, b1, c1, d1;
  int64_t found = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, 27)) return 0;  // OSXSAVE
  uint64_t states = enabled_states();
  int fma = has(c, 12);
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  if (!__get_cpuid_count(7, 1, &a1, &b1, &c1, &d1)) a1 = 0;
  if ((states & XCR0_AVX) == XCR0_AVX && fma && has(b, 5)) {
    found |= FG_AVX2;
    if (has(a1, 4)) found |= FG_AVX_VNNI;
  }
  // F, DQ, BW, VL
  int avx512 = (states & XCR0_AVX512) == XCR0_AVX512 && has(b, 16) && has(b, 17) && has(b, 30) && has(b, 31);
  if (avx512 && has(c, 11)) {
    found |= FG_AVX512_VNNI;
    if (has(a1, 5)) found |= FG_AVX512_BF16;
  }
  int tiles = has(d, 24) && (states & XCR0_TILES) == XCR0_TILES && (found & FG_AVX512_VNNI);
  if (tiles && syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0) {
    if (has(d, 25)) found |= FG_AMX_INT8;
    if (has(d, 22) && (found & FG_AVX512_BF16)) found |= FG_AMX_BF16;
  }
  return found;
}
