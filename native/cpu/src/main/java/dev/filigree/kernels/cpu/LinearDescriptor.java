package dev.filigree.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The struct {@code fg_linear} of {@code linear.h}: fifteen 64-bit fields, addresses among them.
 */
final class LinearDescriptor {
  private LinearDescriptor() {}

  /** A descriptor, whose memory lives as long as it is reachable. */
  static MemorySegment of(
      long codes,
      long y,
      long residual,
      long weights,
      long scales,
      long sums,
      long bias,
      long rows,
      long rowBytes,
      long tokenBytes,
      long groups,
      long activation,
      long starts,
      long restGroups,
      long restBytes) {
    long[] fields = {
      codes,
      y,
      residual,
      weights,
      scales,
      sums,
      bias,
      rows,
      rowBytes,
      tokenBytes,
      groups,
      activation,
      starts,
      restGroups,
      restBytes
    };
    return Arena.ofAuto().allocateFrom(JAVA_LONG, fields);
  }
}
