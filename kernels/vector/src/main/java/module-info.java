/** CPU kernels on the Vector API. */
module dev.filigree.kernels.vector {
  requires dev.filigree.core;
  requires java.management;
  requires jdk.management;
  requires jdk.incubator.vector;

  provides dev.filigree.spi.KernelProvider with
      dev.filigree.kernels.vector.VectorProvider;
}
