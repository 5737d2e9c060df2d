package dev.filigree.kernels.cuda;

/**
 * The part of a linear layer that a block works on at a time.
 *
 * @param out outputs
 * @param tokens tokens
 * @param k elements of the reduction axis
 */
public record Tile(int out, int tokens, int k) {}
