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
  /** Null where they lie in memory of others. */
  private final DeviceMemory memory;

  private final long address;
  private final long bytes;
  private final Map<String, Long> addresses = new LinkedHashMap<>();
  private final Map<String, Integer> numbers;

  /**
   * Copies parts to the device.
   *
   * @param numbers that belong to the weights, by the names of the kernels' parameters
   */
  DeviceWeights(
      CudaContext context, Map<String, MemorySegment> parts, Map<String, Integer> numbers) {
    this.bytes = parts.values().stream().mapToLong(part -> Arenas.aligned(part.byteSize())).sum();
    this.numbers = Map.copyOf(numbers);
    memory = context.allocate(bytes);
    address = memory.address();
    try {
      long at = 0;
      for (Map.Entry<String, MemorySegment> part : parts.entrySet()) {
        addresses.put(part.getKey(), address + at);
        memory.upload(part.getValue(), at);
        at += Arenas.aligned(part.getValue().byteSize());
      }
    } catch (RuntimeException | Error failed) {
      memory.close();
      throw failed;
    }
  }

  private DeviceWeights(DeviceWeights other, long address) {
    this.memory = null;
    this.address = address;
    this.bytes = other.bytes;
    this.numbers = other.numbers;
    long shift = address - other.address;
    other.addresses.forEach((name, at) -> addresses.put(name, at + shift));
  }

  /**
   * The same weights at another address, which holds {@link #bytes} copied from {@link #address()}.
   */
  DeviceWeights at(long address) {
    return new DeviceWeights(this, address);
  }

  long bytes() {
    return bytes;
  }

  /** Where they begin. */
  long address() {
    return address;
  }

  /** Whether there is a part of a name. */
  boolean has(String part) {
    return addresses.containsKey(part);
  }

  /** Address of a part. */
  long address(String part) {
    return addresses.get(part);
  }

  /** Numbers that belong to the weights, by the names of the kernels' parameters. */
  Map<String, Integer> numbers() {
    return numbers;
  }

  @Override
  public void close() {
    if (memory != null) {
      memory.close();
    }
  }
}
