package dev.filigree.plan;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/**
 * Reads codes of any width as floats, or writes floats as codes, with a scale and a zero point for
 * each index of an axis or one for all. Rounds as the reference does.
 *
 * @param reads whether x has the codes, or else y
 * @param codes their type
 * @param scales one for each index of the axis
 * @param zeros one for each index of the axis
 * @param inner elements that follow each other with one scale
 */
record CodeLines(
    Slot x, Slot y, boolean reads, DType codes, float[] scales, int[] zeros, long inner)
    implements Step {
  /** Types of codes that it takes. */
  static final Set<DType> CODES = Set.of(DType.I8, DType.U8, DType.I16, DType.U16, DType.I32);

  /** Elements of an item. */
  private static final long STRETCH = 1 << 14;

  @Override
  public BoundStep bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    long elements = x.shape().elements();
    WorkerPool.Body body =
        (item, worker) -> {
          long end = Math.min(elements, (item + 1) * STRETCH);
          for (long i = item * STRETCH; i < end; ) {
            long line = i / inner;
            long next = Math.min(end, (line + 1) * inner);
            int index = (int) (line % scales.length);
            convert(memory, i, next, scales[index], zeros[index]);
            i = next;
          }
        };
    return PlaneSteps.over(Math.toIntExact(Math.ceilDiv(elements, STRETCH)), elements, body);
  }

  private void convert(MemorySegment memory, long from, long to, float scale, int zero) {
    if (reads) {
      for (long i = from; i < to; i++) {
        double whole = (double) ((long) code(memory, i) - zero);
        memory.set(DType.FLOAT, y.offset() + i * Float.BYTES, (float) (whole * scale));
      }
      return;
    }
    long least = codes.least();
    long most = codes.greatest();
    for (long i = from; i < to; i++) {
      float quotient = memory.get(DType.FLOAT, x.offset() + i * Float.BYTES) / scale;
      double code = Math.rint(quotient) + zero;
      // nothing compares with NaN, which becomes the least code
      store(memory, i, (int) (code > least ? Math.min(code, most) : least));
    }
  }

  private int code(MemorySegment memory, long i) {
    long at = x.offset() + i * codes.bytes();
    return switch (codes) {
      case I8 -> memory.get(DType.BYTE, at);
      case U8 -> Byte.toUnsignedInt(memory.get(DType.BYTE, at));
      case I16 -> memory.get(DType.SHORT, at);
      case U16 -> Short.toUnsignedInt(memory.get(DType.SHORT, at));
      default -> memory.get(DType.INT, at);
    };
  }

  private void store(MemorySegment memory, long i, int code) {
    long at = y.offset() + i * codes.bytes();
    if (codes.bytes() == 1) {
      memory.set(DType.BYTE, at, (byte) code);
    } else {
      memory.set(DType.SHORT, at, (short) code);
    }
  }
}
