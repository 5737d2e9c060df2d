package dev.filigree.spi;

import java.lang.foreign.MemorySegment;

/**
 * A form of a matrix of activations for some kernels: rounded, and laid out anew. A matrix is
 * encoded once for all layers that read it. Stateless; two of the same name are the same.
 */
public interface ActivationCode {
  /** What it is, for example {@code int8 per token}. */
  String name();

  /** Bytes of an encoded matrix. */
  long bytes(Panels panels, int features);

  /**
   * Encodes a panel.
   *
   * @param memory holds both, 64-byte aligned
   * @param x byte offset of the matrix, f32 panels
   * @param codes byte offset of the encoded matrix
   */
  void encode(MemorySegment memory, Panels panels, int panel, int features, long x, long codes);

  /** A code of 8-bit integers that can also take scale and zero point from outside. */
  interface Integers extends ActivationCode {
    /**
     * Range of consecutive values, 0 included; NaN if one of them is.
     *
     * @param x byte offset of the values
     * @param range byte offset of two f32: receives the least and the greatest
     */
    void range(MemorySegment memory, long x, long count, long range);

    /**
     * Encodes a panel as {@code clamp(rint(x / scale) + zeroPoint, 0, 255)}.
     *
     * @see #encode(MemorySegment, Panels, int, int, long, long)
     */
    void encode(
        MemorySegment memory,
        Panels panels,
        int panel,
        int features,
        long x,
        long codes,
        float scale,
        int zeroPoint);
  }
}
