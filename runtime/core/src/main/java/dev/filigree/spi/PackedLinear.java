package dev.filigree.spi;

/** A linear layer's weights laid out for a kernel: what kernels of both kinds have in common. */
public sealed interface PackedLinear permits LinearKernel, RoundedKernel {
  /** Outputs of a block: the grain in which a layer is divided among threads. */
  int BLOCK = 64;

  /** Outputs. */
  int rows();

  /** Inputs. */
  int columns();

  /** Bytes the packed weights take beside the logical ones. */
  long bytes();

  /** Number of blocks. */
  default int blocks() {
    return (rows() + BLOCK - 1) / BLOCK;
  }
}
