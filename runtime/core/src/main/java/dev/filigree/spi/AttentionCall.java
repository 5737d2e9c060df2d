package dev.filigree.spi;

import dev.filigree.DType;
import dev.filigree.kernel.fused.Attention;
import java.lang.foreign.MemorySegment;

/**
 * Operands of an attention over panels; see {@link Attention} for what it computes. Tokens of all
 * sequences follow each other in the panels: token i of sequence b is token {@code first + b *
 * queries + i}.
 *
 * @param memory holds all operands
 * @param queryPanels panels of q and y, {@code [batch * queries, heads * width]}
 * @param keyPanels panels of k and v, {@code [batch * keys, keyHeads * width]}
 * @param q byte offset
 * @param k byte offset
 * @param v byte offset
 * @param y byte offset
 * @param mask byte offset of the additive mask, -1 for none
 * @param maskSteps elements to step in the mask along batch, head, query and key; 0 where it
 *     repeats. Along queries it is 0, or 1 where whole vectors may be read beyond the last query:
 *     up to a multiple of {@link #MASK_LANES} the mask has elements, of any value
 * @param form heads, scale, and whether queries whose weights are NaN get 0
 * @param width features of a head
 * @param first token of sequence 0
 * @param queries tokens of a sequence that ask
 * @param keys tokens of a sequence that answer
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
    Attention.Form form,
    int width,
    int first,
    int queries,
    int keys) {
  /** What the queries of a mask that differs between them are padded to: a vector's most lanes. */
  public static final int MASK_LANES = 16;

  /** Features of a token that asks. */
  public int features() {
    return form.heads() * width;
  }

  /** Features of a token that answers. */
  public int keyFeatures() {
    return form.keyHeads() * width;
  }

  /** The first token of a sequence that asks. */
  public int firstQuery(int batch) {
    return first + batch * queries;
  }

  /** The first token of a sequence that answers. */
  public int firstKey(int batch) {
    return first + batch * keys;
  }

  /**
   * The call for one sequence, which has a place and a length of its own.
   *
   * @param sequence as the mask counts it
   * @param token its first
   * @param length tokens that ask and answer, no more than there were
   */
  public AttentionCall only(int sequence, int token, int length) {
    long ownMask = mask < 0 ? mask : mask + sequence * maskSteps[0] * Float.BYTES;
    return new AttentionCall(
        memory,
        queryPanels,
        keyPanels,
        q,
        k,
        v,
        y,
        ownMask,
        maskSteps,
        form,
        width,
        token,
        length,
        length);
  }

  /** The mask's element for a score. */
  public float maskAt(int batch, int head, int query, int key) {
    return memory.get(DType.FLOAT, maskOffset(batch, head, query, key));
  }

  /** Byte offset of the mask's element for a score. */
  public long maskOffset(int batch, int head, int query, int key) {
    long element =
        batch * maskSteps[0] + head * maskSteps[1] + query * maskSteps[2] + key * maskSteps[3];
    return mask + element * Float.BYTES;
  }
}
