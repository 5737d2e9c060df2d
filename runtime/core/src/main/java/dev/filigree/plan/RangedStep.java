package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.kernel.quant.DynamicQuantizeLinear;
import java.lang.foreign.MemorySegment;

/**
 * Dynamic quantisation in items of work: finds the range of every item, joins them, and quantises
 * every item by what follows from the range of all.
 */
abstract class RangedStep implements BoundStep {
  private final MemorySegment memory;
  private final long scaleOffset;
  private final float[][] ranges;
  private final WorkerPool.Body rangeOfItem;
  private final WorkerPool.Body codesOfItem;
  private float scale;
  private int zeroPoint;

  /**
   * A step.
   *
   * @param scaleOffset where the scale goes
   */
  RangedStep(MemorySegment memory, int items, long scaleOffset) {
    this.memory = memory;
    this.scaleOffset = scaleOffset;
    this.ranges = new float[items][2];
    this.rangeOfItem =
        (item, worker) -> {
          ranges[item][0] = 0;
          ranges[item][1] = 0;
          range(item, ranges[item]);
        };
    this.codesOfItem = (item, worker) -> quantize(item, scale, zeroPoint);
  }

  /** Widens a range, which holds 0, to that of an item. */
  abstract void range(int item, float[] range);

  /** Makes codes of an item. */
  abstract void quantize(int item, float scale, int zeroPoint);

  @Override
  public final void run(WorkerPool pool) {
    pool.forEach(ranges.length, rangeOfItem);
    float min = 0;
    float max = 0;
    for (float[] range : ranges) {
      min = Math.min(min, range[0]);
      max = Math.max(max, range[1]);
    }
    scale = DynamicQuantizeLinear.scale(min, max);
    zeroPoint = DynamicQuantizeLinear.zeroPoint(min, scale);
    memory.set(DType.FLOAT, scaleOffset, scale);
    pool.forEach(ranges.length, codesOfItem);
  }
}
