package dev.filigree.spi;

import dev.filigree.kernel.Activation;
import java.lang.foreign.MemorySegment;

/**
 * Operands of a linear layer on rounded inputs.
 *
 * @param memory holds all operands, 64-byte aligned
 * @param panels of x {@code [tokens, columns]} and y {@code [tokens, rows]}
 * @param codes byte offset of the encoded inputs
 * @param y byte offset of the outputs, f32 panels
 * @param residual byte offset of panels of y's form that are added, or -1
 * @param bias one value for each output, or null
 * @param activation applied at the end
 */
public record LinearCall(
    MemorySegment memory,
    Panels panels,
    long codes,
    long y,
    long residual,
    float[] bias,
    Activation activation) {}
