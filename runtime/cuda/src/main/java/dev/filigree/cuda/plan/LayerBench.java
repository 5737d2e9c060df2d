package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Stream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;

/** Memory to run the candidates of a layer in, and the candidates bound to it. */
final class LayerBench implements AutoCloseable {
  /** What an address of memory that is not needed may point to: no allocation is empty. */
  private static final long LEAST_BYTES = 16;

  /** Numbers that are drawn; more are the same again. */
  private static final int MOST_NUMBERS = 1 << 20;

  private final DeviceState device;
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final List<Candidate> candidates = new ArrayList<>();
  private final Stream stream;

  /** A bench without candidates. */
  LayerBench(DeviceState device) {
    this.device = device;
    this.stream = own(device.context().stream());
  }

  /**
   * A way to run the layer.
   *
   * @param weights in its order
   * @param binder makes the launches that do, with such weights at any place
   */
  record Candidate(
      LayerOption option, DeviceWeights weights, Function<DeviceWeights, DeviceStep.Work> binder) {
    /** The launches, with the weights where they are. */
    DeviceStep.Work work() {
      return binder.apply(weights);
    }
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  /** Memory of its own; at least one access of a kernel. */
  DeviceMemory memory(long bytes) {
    return own(device.context().allocate(Math.max(LEAST_BYTES, bytes)));
  }

  /**
   * Memory of numbers that look like activations, as f16 between -2 and 2 and as s8: zeros run
   * faster, for they take less power.
   */
  DeviceMemory numbers(long bytes) {
    DeviceMemory memory = memory(bytes);
    byte[] values = new byte[(int) Math.min(MOST_NUMBERS, memory.bytes())];
    SplittableRandom random = new SplittableRandom(values.length);
    for (int i = 0; i < values.length; i++) {
      // the upper byte of an f16: its sign, and an exponent of 2^-4 to 2^0
      values[i] =
          (byte) (i % 2 == 0 ? random.nextInt() : random.nextInt(2) << 7 | random.nextInt(44, 64));
    }
    for (long at = 0; at < memory.bytes(); at += values.length) {
      long count = Math.min(values.length, memory.bytes() - at);
      memory.upload(MemorySegment.ofArray(values).asSlice(0, count), at);
    }
    return memory;
  }

  /** Memory of zeros. */
  DeviceMemory zeros(long bytes) {
    DeviceMemory memory = memory(bytes);
    memory.fill(0, memory.bytes(), (byte) 0);
    return memory;
  }

  /** What tiles that blocks share need, for candidates that run one after the other. */
  static SharedSums sums(List<? extends LayerOption> options) {
    SharedSums sums = new SharedSums();
    options.forEach(sums::need);
    return sums;
  }

  /** Memory of ones of f32. */
  DeviceMemory ones(long count) {
    float[] values = new float[Math.toIntExact(Math.max(LEAST_BYTES / Float.BYTES, count))];
    Arrays.fill(values, 1);
    DeviceMemory memory = memory((long) values.length * Float.BYTES);
    memory.upload(MemorySegment.ofArray(values), 0);
    return memory;
  }

  /** Adds a candidate, bound to memory of this bench. */
  void add(
      LayerOption option, DeviceWeights weights, Function<DeviceWeights, DeviceStep.Work> binder) {
    candidates.add(new Candidate(option, weights, binder));
  }

  DeviceState device() {
    return device;
  }

  Stream stream() {
    return stream;
  }

  /** The candidates, in order. */
  List<Candidate> candidates() {
    return candidates;
  }

  @Override
  public void close() {
    for (AutoCloseable each : owned.reversed()) {
      try {
        each.close();
      } catch (RuntimeException failed) {
        throw failed;
      } catch (Exception checked) {
        throw new IllegalStateException("closing what is on the device throws none", checked);
      }
    }
    owned.clear();
  }
}
