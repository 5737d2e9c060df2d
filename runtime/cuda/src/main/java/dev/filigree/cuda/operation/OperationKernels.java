package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.UnsupportedException;
import dev.filigree.cuda.driver.Arguments;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.cuda.driver.KernelLibrary;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.KernelManifest;
import java.util.List;

/**
 * Finds the kernels of operations by name: the operation, then the element type where there are
 * several ({@code binary_f16}, or {@code copy_b16} where only the size matters), then {@code _wide}
 * for the form with a whole block to a row. Thread-safe.
 */
public final class OperationKernels {
  /** Elements up to which a row is a warp's work: it holds three quarters of them in registers. */
  private static final int WARP_COLUMNS = 1024;

  private static final int WARP = 32;

  /** Blocks along y, CUDA C++ Programming Guide, technical specifications. */
  static final int MOST_ALONG_Y = 65535;

  /** Neighbours that a thread of an elementwise kernel takes. */
  private static final int PER_THREAD = 8;

  private final KernelLibrary library;
  private final KernelManifest manifest;

  public OperationKernels(KernelLibrary library, KernelManifest manifest) {
    this.library = library;
    this.manifest = manifest;
  }

  /** A kernel of the manifest. */
  Kernel kernel(String entry) {
    return library.kernel(manifest.kernel(entry));
  }

  /** The kernels of an operation. */
  List<KernelEntry> of(String operation) {
    return manifest.of(operation);
  }

  /**
   * The kernel of an operation for an element type.
   *
   * @throws UnsupportedException if there is none
   */
  Kernel typed(String operation, DType dtype) {
    String entry = operation + "_" + dtype;
    if (!manifest.kernels().containsKey(entry)) {
      throw new UnsupportedException(
          "the CUDA device computes " + operation + " of no " + dtype, "run this node on the CPU");
    }
    return kernel(entry);
  }

  /** The kernel of an operation that only moves elements of a type. */
  Kernel sized(String operation, DType dtype) {
    return kernel(operation + "_b" + dtype.bytes() * Byte.SIZE);
  }

  /** The form of a kernel over rows that fits their length, launched. */
  Launch rows(String entry, long rows, int columns, Binder binder) {
    Kernel kernel = kernel(columns <= WARP_COLUMNS ? entry : entry + "_wide");
    return launch(kernel, rowBlocks(kernel, rows), 1, binder);
  }

  /** A kernel with a warp for each row, launched. */
  static Launch warps(Kernel kernel, long rows, Binder binder) {
    return launch(kernel, rowBlocks(kernel, rows), 1, binder);
  }

  /** A kernel whose threads take eight neighbours of a row each, launched. */
  static Launch eights(Kernel kernel, long rows, int width, Binder binder) {
    return elements(kernel, rows * Math.ceilDiv(width, PER_THREAD), binder);
  }

  /** A kernel with a thread for each of some elements, launched. */
  static Launch elements(Kernel kernel, long elements, Binder binder) {
    return launch(kernel, Math.ceilDiv(elements, kernel.entry().threads()), 1, binder);
  }

  /** A kernel with so many threads of a block for each of some elements, launched. */
  static Launch shares(Kernel kernel, long elements, int share, Binder binder) {
    return launch(kernel, Math.ceilDiv(elements, kernel.entry().threads() / share), 1, binder);
  }

  /**
   * A kernel over a grid, launched.
   *
   * @throws UnsupportedException if no device has a grid of that many blocks
   */
  static Launch launch(Kernel kernel, long x, long y, Binder binder) {
    if (x > Integer.MAX_VALUE || y > MOST_ALONG_Y) {
      throw new UnsupportedException(
          "the CUDA device launches at most %d x %d blocks of a kernel, not %d x %d of %s"
              .formatted(Integer.MAX_VALUE, MOST_ALONG_Y, x, y, kernel.entry().entry()),
          "run smaller batches, or this model on the CPU");
    }
    Arguments arguments = kernel.arguments();
    binder.bind(arguments);
    return new Launch(kernel, (int) x, (int) y, arguments);
  }

  private static long rowBlocks(Kernel kernel, long rows) {
    return switch (kernel.entry().grid()) {
      case WARP_PER_ROW -> Math.ceilDiv(rows, kernel.entry().threads() / WARP);
      case BLOCK_PER_ROW -> rows;
      default -> throw new IllegalArgumentException(kernel + " does not work row by row");
    };
  }

  /** Gives a kernel its arguments. */
  @FunctionalInterface
  interface Binder {
    void bind(Arguments arguments);
  }
}
