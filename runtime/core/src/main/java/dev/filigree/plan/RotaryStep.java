package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Turns the features of each head by the angles of its token; see {@link
 * dev.filigree.kernel.fused.Rotary}. In a panel the halves of a head are stretches of consecutive
 * values, and so are their cosines and sines:
 *
 * <pre>
 *   x    head 0: [ first half | second half | rest ]  head 1: [ ...     cos  [ of the first half | of the second ]
 * </pre>
 *
 * @param x {@code [tokens, heads * width]} in panels
 * @param cos {@code [tokens, turned]} in panels
 * @param sin of cos's shape
 * @param y of x's shape
 */
record RotaryStep(Slot x, Slot cos, Slot sin, Slot y, int heads) implements Step {
  @Override
  public boolean takesRagged() {
    return true;
  }

  @Override
  public Panels panels() {
    return x.panels();
  }

  @Override
  public PanelWork bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    Panels panels = x.panels();
    int turned = cos.features();
    int width = x.features() / heads;
    WorkerPool.Body body =
        (p, worker) -> {
          int tokens = panels.width(p);
          long from = panels.offset(p, x.features());
          long table = panels.offset(p, turned);
          for (int head = 0; head < heads; head++) {
            long at = from + (long) head * width * tokens * Float.BYTES;
            turn(
                memory,
                x.offset() + at,
                cos.offset() + table,
                sin.offset() + table,
                y.offset() + at,
                turned / 2 * tokens);
            long rest = (long) turned * tokens * Float.BYTES;
            long bytes = (long) (width - turned) * tokens * Float.BYTES;
            MemorySegment.copy(
                memory, x.offset() + at + rest, memory, y.offset() + at + rest, bytes);
          }
        };
    return PanelWork.each(panels.count(), body);
  }

  /** Turns pairs whose second parts lie {@code count} values behind the first ones. */
  private static void turn(MemorySegment memory, long x, long cos, long sin, long y, int count) {
    long half = (long) count * Float.BYTES;
    for (int i = 0; i < count; i++) {
      long at = (long) i * Float.BYTES;
      float first = memory.get(DType.FLOAT, x + at);
      float second = memory.get(DType.FLOAT, x + half + at);
      float turnedFirst =
          first * memory.get(DType.FLOAT, cos + at) - second * memory.get(DType.FLOAT, sin + at);
      float turnedSecond =
          second * memory.get(DType.FLOAT, cos + half + at)
              + first * memory.get(DType.FLOAT, sin + half + at);
      memory.set(DType.FLOAT, y + at, turnedFirst);
      memory.set(DType.FLOAT, y + half + at, turnedSecond);
    }
  }
}
