package dev.filigree.spi;

import java.lang.foreign.MemorySegment;

/**
 * A {@link Cell} whose weights are laid out for a kernel. Units are computed in slices, each with
 * all its gates, so that a slice of the new state follows from the old state and the slice's sums
 * alone. The inputs' sums lie in the order of the slices, padded with units that nobody needs:
 *
 * <pre>
 *   slice 0: gate 0: u0 u1 .. | gate 1: u0 u1 .. | ..   slice 1: gate 0: ..
 * </pre>
 *
 * What a unit is computed from does not depend on which others are computed with it, nor on how
 * many sequences are. Immutable after packing and safe to use from many threads.
 */
public interface CellKernel {
  /** The cell. */
  Cell cell();

  /** Units of a slice. */
  int units();

  /** Bytes the packed weights take. */
  long bytes();

  /** Bytes of scratch a thread needs while it runs a step. */
  long scratchBytes();

  /**
   * Computes a slice of the new states of some sequences. Reads and writes of other slices' units
   * nothing but the old states, and in the second phase what the first left in {@link
   * CellRows#cell}.
   *
   * @param phase below that of {@link Cell.Kind#phases}
   * @param memory holds all that rows point to and the scratch
   * @param scratch offset of this thread's, 64-byte aligned
   */
  void step(int phase, int slice, CellRows rows, MemorySegment memory, long scratch);

  /** Number of slices. */
  default int slices() {
    return Math.ceilDiv(cell().hidden(), units());
  }

  /** Floats that a state takes, padding included. */
  default int padded() {
    return slices() * units();
  }

  /** Floats of the sums of all gates for one step of a sequence, padding included. */
  default int sums() {
    return cell().kind().gates() * padded();
  }

  /** Units of a slice that are no padding. */
  default int used(int slice) {
    return Math.min(units(), cell().hidden() - slice * units());
  }

  /**
   * The row {@code [gates * hidden]} of the cell's weights that a sum is for, or -1 for padding.
   *
   * @param sum below {@link #sums}
   */
  default int row(int sum) {
    int slice = sum / (cell().kind().gates() * units());
    int gate = sum / units() % cell().kind().gates();
    int unit = sum % units();
    return unit < used(slice) ? gate * cell().hidden() + slice * units() + unit : -1;
  }
}
