// What a kernel says about itself. Each fact becomes a comment in the kernel's PTX, with numbers computed by the
// compiler from the constants the code itself uses; kernels/cuda/build makes the manifest of them, so the two cannot
// drift apart. The keys are those of the manifest (KernelManifest.java):
//
//   extern "C" __global__ void __launch_bounds__(threads) softmax_f16(const half* x, half* y, int rows, int columns) {
//     KERNEL_FACT("operation softmax");
//     KERNEL_FACT("activation f16");                       // optional
//     KERNEL_FACT("grid blockPerRow");
//     KERNEL_FACT("parameters x:pointer y:pointer rows:i32 columns:i32");
//     KERNEL_FACT_1("threads", threads);
//     KERNEL_FACT_1("sharedBytes", 0);                     // dynamic
//     ...
//   }
//
// Further facts: "weights sparse24 f16", "tile" (3: out, tokens, k), "tokens" (2: from, to).
#pragma once

#define KERNEL_FACT(text) asm volatile("//@ " text)
#define KERNEL_FACT_1(key, a) asm volatile("//@ " key " %0" ::"n"(a))
#define KERNEL_FACT_2(key, a, b) asm volatile("//@ " key " %0 %1" ::"n"(a), "n"(b))
#define KERNEL_FACT_3(key, a, b, c) asm volatile("//@ " key " %0 %1 %2" ::"n"(a), "n"(b), "n"(c))
