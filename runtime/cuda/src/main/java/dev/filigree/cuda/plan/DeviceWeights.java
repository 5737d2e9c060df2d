package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.plan.Arenas;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A weight matrix on the device, in one piece: its parts one after the other, by the names of the
 * kernels' parameters.
 *
 * <pre>
 *   | w | meta | scales | ... |
 * </pre>
 */
final class DeviceWeights implements AutoCloseable {
  private final DeviceMemory memory;
  private final Map<String, Long> addresses = new LinkedHashMap<>();
  private final int stepsPerGroup;

  /**
   * Copies parts to the device.
   *
   * @param stepsPerGroup of weights scaled by groups
   */
  DeviceWeights(CudaContext context, Map<String, MemorySegment> parts, int stepsPerGroup) {
    long bytes = 0;
    for (MemorySegment part : parts.values()) {
      bytes += Arenas.aligned(part.byteSize());
    }
    this.stepsPerGroup = stepsPerGroup;
    memory = context.allocate(bytes);
    try {
      long at = 0;
      for (Map.Entry<String, MemorySegment> part : parts.entrySet()) {
        addresses.put(part.getKey(), memory.address() + at);
        memory.upload(part.getValue(), at);
        at += Arenas.aligned(part.getValue().byteSize());
      }
    } catch (RuntimeException | Error failed) {
      memory.close();
      throw failed;
    }
  }

  long bytes() {
    return memory.bytes();
  }

  /** Whether there is a part of a name. */
  boolean has(String part) {
    return addresses.containsKey(part);
  }

  /** Address of a part. */
  long address(String part) {
    return addresses.get(part);
  }

  /** Steps along K that share a scale; 0 without groups. */
  int stepsPerGroup() {
    return stepsPerGroup;
  }

  @Override
  public void close() {
    memory.close();
  }
}
