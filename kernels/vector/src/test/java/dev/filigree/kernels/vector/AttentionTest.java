package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.kernel.fused.Attention.Form;
import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class AttentionTest {
  private static final int[] LENGTHS = {1, 2, 3, 7, 9, 16, 17, 33, 64, 65, 130};
  private static final int[] FEW_LENGTHS = {1, 7, 33, 65};

  private final Kernels vector = Legs.vector();
  private final Kernels scalar = Legs.scalar();

  /** Which of batch, head, query and key an additive mask tells apart. */
  private record MaskForm(boolean batch, boolean head, boolean query, boolean key) {}

  /**
   * An attention and its operands.
   *
   * @param masked what is added to masked scores
   */
  private final class Attention {
    final Operands operands = new Operands();
    final int batch;
    final int heads;
    final int keyHeads;
    final int width;
    final int queries;
    final int keys;
    final Panels queryPanels;
    final Panels keyPanels;
    final float[] valueMatrix;
    final long q;
    final long k;
    final long v;
    final long y;
    long mask = -1;
    boolean guarded;

    /** Tokens of each sequence, which follow each other without padding; null for as many. */
    int[] lengths;

    final long[] steps = new long[4];

    Attention(int batch, int heads, int width, int queries, int keys, SplittableRandom random) {
      this(batch, heads, heads, width, queries, keys, random);
    }

    Attention(
        int batch,
        int heads,
        int keyHeads,
        int width,
        int queries,
        int keys,
        SplittableRandom random) {
      this.batch = batch;
      this.heads = heads;
      this.keyHeads = keyHeads;
      this.width = width;
      this.queries = queries;
      this.keys = keys;
      queryPanels = Panels.of(batch * queries, vector.lanes());
      keyPanels = Panels.of(batch * keys, vector.lanes());
      q = operands.place(matrix(queryPanels, heads * width, random));
      k = operands.place(matrix(keyPanels, keyHeads * width, random));
      valueMatrix = matrix(keyPanels, keyHeads * width, random);
      v = operands.place(valueMatrix);
      y = operands.place(new float[floats(queryPanels, heads * width)]);
    }

    private static int floats(Panels panels, int features) {
      return (int) (panels.bytes(features) / Float.BYTES);
    }

    /** A matrix whose padding is NaN, which must reach nothing. */
    private static float[] matrix(Panels panels, int features, SplittableRandom random) {
      float[] values = Legs.normal(random, floats(panels, features));
      for (int p = 0; p < panels.count(); p++) {
        int start = (int) (panels.offset(p, features) / Float.BYTES);
        for (int f = 0; f < features; f++) {
          int row = start + f * panels.width(p);
          Arrays.fill(values, row + panels.used(p), row + panels.width(p), Float.NaN);
        }
      }
      return values;
    }

    void mask(MaskForm form, float masked, SplittableRandom random) {
      int lanes = AttentionCall.MASK_LANES;
      int[] extents = {
        form.batch ? batch : 1,
        form.head ? heads : 1,
        form.query ? (queries + lanes - 1) / lanes * lanes : 1,
        form.key ? keys : 1
      };
      long step = 1;
      for (int axis : new int[] {2, 3, 1, 0}) {
        steps[axis] = extents[axis] == 1 ? 0 : step;
        step *= extents[axis];
      }
      // what stands beyond the last query reaches nothing
      mask =
          operands.place(
              Legs.floats(
                  (int) step,
                  i ->
                      form.query && i % extents[2] >= queries
                          ? Float.NaN
                          : i / extents[2] % extents[3] > 0 && random.nextBoolean() ? masked : 0));
    }

    AttentionCall call(MemorySegment memory) {
      return new AttentionCall(
          memory,
          queryPanels,
          keyPanels,
          q,
          k,
          v,
          y,
          mask,
          steps,
          new Form(heads, keyHeads, 0.75f, (float) Math.sqrt(width), guarded),
          width,
          0,
          queries,
          keys);
    }

    float[] run(Kernels kernels) {
      return operands.run(
          kernels,
          y,
          (unused, memory) -> {
            // scratch lies in the call's memory, so a copy with room at its end is what runs
            AttentionCall sizes = call(memory);
            long scratch = (memory.byteSize() + 63) / 64 * 64;
            long bytes = kernels.attentionBytes(sizes);
            MemorySegment larger =
                java.lang.foreign.Arena.ofAuto().allocate(scratch + bytes + 64, 64);
            larger.copyFrom(memory);
            larger.set(DType.INT, scratch + bytes, 77);
            AttentionCall call = call(larger);
            float[] heap = new float[kernels.attentionScratch(call) + 1];
            Arrays.fill(heap, Float.NaN);
            for (int b = batch - 1; b >= 0; b--) {
              AttentionCall own = lengths == null ? call : call.only(b, start(b), lengths[b]);
              for (int head = heads - 1; head >= 0; head--) {
                kernels.attend(own, lengths == null ? b : 0, head, heap, scratch);
              }
            }
            assertEquals(77, larger.get(DType.INT, scratch + bytes), "end of the scratch");
            memory.copyFrom(larger.asSlice(0, memory.byteSize()));
          });
    }

    private int start(int sequence) {
      return Arrays.stream(lengths).limit(sequence).sum();
    }

    void check(String what) {
      float[] expected = run(scalar);
      double[] errors = new double[expected.length];
      Arrays.fill(errors, 1e-5);
      Operands.assertClose(
          what
              + ": "
              + batch
              + " sequences, "
              + heads
              + " heads of "
              + width
              + ", "
              + queries
              + " queries, "
              + keys
              + " keys",
          expected,
          run(vector),
          errors);
    }
  }

  @Test
  void selfAttentionFollowsItsTwinAtEveryLength() {
    SplittableRandom random = Legs.random("self-attention");
    for (int length : Legs.few() ? FEW_LENGTHS : LENGTHS) {
      for (int width : new int[] {1, 3, 32}) {
        for (int batch : new int[] {1, 3}) {
          new Attention(batch, 2, width, length, length, random).check("no mask");
        }
      }
    }
  }

  @Test
  void sequencesMayEachHaveALengthAndAMaskOfTheirOwn() {
    SplittableRandom random = Legs.random("ragged attention");
    for (int[] lengths : new int[][] {{5, 1, 17}, {64, 3, 66}, {31, 67, 2}, {16, 16, 48}}) {
      for (boolean query : new boolean[] {false, true}) {
        // room for three of the longest, as a padded batch has
        Attention attention = new Attention(3, 2, 4, 67, 67, random);
        attention.mask(new MaskForm(true, true, query, true), -10000, random);
        attention.lengths = lengths;
        attention.check("sequences of " + Arrays.toString(lengths));
      }
    }
  }

  @Test
  void queriesAndKeysMayDifferInNumber() {
    SplittableRandom random = Legs.random("cross-attention");
    for (int[] lengths : new int[][] {{1, 70}, {70, 1}, {5, 66}, {66, 5}, {64, 63}}) {
      new Attention(2, 3, 5, lengths[0], lengths[1], random).check("no mask");
    }
  }

  @Test
  void headsMayShareKeysAndValues() {
    SplittableRandom random = Legs.random("grouped attention");
    for (int[] heads : new int[][] {{4, 2}, {6, 2}, {3, 1}}) {
      for (int length : new int[] {1, 18, 67}) {
        new Attention(2, heads[0], heads[1], 5, length, length, random).check("shared heads");
      }
    }
  }

  @Test
  void aMaskMayTellAnyAxesApart() {
    SplittableRandom random = Legs.random("masks");
    for (int axes = 0; axes < 16; axes++) {
      MaskForm form =
          new MaskForm((axes & 1) != 0, (axes & 2) != 0, (axes & 4) != 0, (axes & 8) != 0);
      for (float masked : new float[] {Float.NEGATIVE_INFINITY, -Float.MAX_VALUE, -10000, 0.5f}) {
        for (int length : new int[] {3, 18, 67}) {
          Attention attention = new Attention(2, 2, 4, length, length, random);
          attention.mask(form, masked, random);
          attention.check(form + " of " + masked);
        }
      }
    }
  }

  @Test
  void aQueryThatSeesNoKeyGetsNothingWhereItIsGuarded() {
    SplittableRandom random = Legs.random("guard");
    for (int length : new int[] {3, 18, 67}) {
      Attention attention = new Attention(2, 2, 4, length, length, random);
      attention.guarded = true;
      // the first sequence has no key, the second has every other one
      attention.steps[0] = length;
      attention.steps[3] = 1;
      attention.mask =
          attention.operands.place(
              Legs.floats(2 * length, i -> i < length || i % 2 == 1 ? Float.NEGATIVE_INFINITY : 0));
      attention.check("guarded");
      assertEquals(0, attention.run(vector)[0]);
    }
  }

  @Test
  void aQueryWithAScoreThatIsNoNumberGetsNothingWhereItIsGuarded() {
    SplittableRandom random = Legs.random("guarded NaN");
    for (float odd : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      for (int length : new int[] {3, 18, 67}) {
        Attention attention = new Attention(2, 2, 4, length, length, random);
        attention.guarded = true;
        // every third query has it at one key, beside others that have numbers
        int row =
            (length + AttentionCall.MASK_LANES - 1)
                / AttentionCall.MASK_LANES
                * AttentionCall.MASK_LANES;
        attention.steps[2] = 1;
        attention.steps[3] = row;
        attention.mask =
            attention.operands.place(
                Legs.floats(
                    length * row, i -> i / row == length / 2 && i % row % 3 == 0 ? odd : 0));
        attention.check("guarded against " + odd);
        assertEquals(0, attention.run(vector)[0]);
      }
    }
  }

  @Test
  void aMaskedKeyHasNoInfluence() {
    SplittableRandom random = Legs.random("masked key");
    // as many queries as the narrowest vector has lanes: one panel at every width
    Attention attention = new Attention(1, 1, 2, 4, 3, random);
    // a mask that leaves only the first key
    attention.steps[3] = 1;
    attention.mask =
        attention.operands.place(new float[] {0, Float.NEGATIVE_INFINITY, Float.NEGATIVE_INFINITY});
    float[] y = attention.run(vector);
    int queryWidth = attention.queryPanels.width(0);
    int keyWidth = attention.keyPanels.width(0);
    for (int feature = 0; feature < 2; feature++) {
      for (int query = 0; query < 4; query++) {
        assertEquals(
            attention.valueMatrix[feature * keyWidth], y[feature * queryWidth + query], 1e-6f);
      }
    }
  }
}
