package dev.filigree.spi;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;

/**
 * Operands of an attention over panels; see {@link dev.filigree.kernel.fused.Attention} for what it
 * computes. Tokens of all sequences follow each other in the panels: token i of sequence b is token
 * {@code b * queries + i}.
 *
 * @param memory holds all operands
 * @param queryPanels panels of q and y, {@code [batch * queries, heads * width]}
 * @param keyPanels panels of k and v, {@code [batch * keys, heads * width]}
 * @param q byte offset
 * @param k byte offset
 * @param v byte offset
 * @param y byte offset
 * @param mask byte offset of the row-major additive mask, -1 for none
 * @param maskSteps elements to step in the mask along batch, head, query and key; 0 where it
 *     repeats
 * @param heads number of heads
 * @param width features of a head
 * @param queries tokens of a sequence that ask
 * @param keys tokens of a sequence that answer
 * @param scale factor of the scores
 * @param divisor the scores are divided by it, rounded once more
 * @param guarded whether a query whose weights are NaN, for all of its scores are minus infinity or
 *     one is NaN, gets 0
 */
public record AttentionCall(
    MemorySegment memory,
    Panels queryPanels,
    Panels keyPanels,
    long q,
    long k,
    long v,
    long y,
    long mask,
    long[] maskSteps,
    int heads,
    int width,
    int queries,
    int keys,
    float scale,
    float divisor,
    boolean guarded) {
  /** Features of a token. */
  public int features() {
    return heads * width;
  }

  /** The mask's element for a score. */
  public float maskAt(int batch, int head, int query, int key) {
    long element =
        batch * maskSteps[0] + head * maskSteps[1] + query * maskSteps[2] + key * maskSteps[3];
    return memory.get(DType.FLOAT, mask + element * Float.BYTES);
  }
}
