package dev.filigree.cuda.plan;

/**
 * A class of layers that are measured once.
 *
 * @param rows outputs
 * @param columns inputs, those of all elements of a window together
 * @param format of the weights, and how kernels have them
 * @param stored weights
 * @param tokens that are multiplied at once, or pixels of a convolution's results
 * @param quantizable whether inputs may be rounded to 8 bits
 * @param window of a convolution and what it moves over, in words; empty of a linear layer
 */
record LayerKind(
    int rows,
    int columns,
    String format,
    long stored,
    int tokens,
    boolean quantizable,
    String window) {}
