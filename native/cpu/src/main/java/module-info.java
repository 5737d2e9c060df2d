/** CPU kernels in C, beside those of another set. */
module dev.filigree.kernels.cpu {
  requires dev.filigree.core;

  provides dev.filigree.spi.KernelProvider with
      dev.filigree.kernels.cpu.NativeProvider;
}
