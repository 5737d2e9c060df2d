package dev.filigree.kernels.cuda;

/**
 * The part of a linear layer, or of an attention, that a block works on at a time.
 *
 * @param out outputs; of an attention the features of a head, at most
 * @param tokens tokens; of an attention the queries
 * @param k elements of the reduction axis; of an attention the keys
 */
public record Tile(int out, int tokens, int k) {}
