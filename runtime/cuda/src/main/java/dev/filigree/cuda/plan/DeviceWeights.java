package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.plan.Arenas;
import java.lang.foreign.MemorySegment;

/**
 * A weight matrix on the device, in one piece:
 *
 * <pre>
 *   | values | metadata | scales | codebook | offsets |
 * </pre>
 */
final class DeviceWeights implements AutoCloseable {
  private final DeviceMemory memory;
  private final long[] addresses = new long[5];

  DeviceWeights(CudaContext context, PackedWeights packed) {
    MemorySegment[] parts = {
      packed.values(), packed.metadata(), packed.scales(), packed.codebook(), packed.offsets()
    };
    long bytes = 0;
    for (MemorySegment part : parts) {
      bytes += Arenas.aligned(part.byteSize());
    }
    memory = context.allocate(bytes);
    try {
      long at = 0;
      for (int i = 0; i < parts.length; i++) {
        addresses[i] = parts[i].byteSize() == 0 ? 0 : memory.address() + at;
        memory.upload(parts[i], at);
        at += Arenas.aligned(parts[i].byteSize());
      }
    } catch (RuntimeException | Error failed) {
      memory.close();
      throw failed;
    }
  }

  long bytes() {
    return memory.bytes();
  }

  long values() {
    return addresses[0];
  }

  /** 0 for dense weights. */
  long metadata() {
    return addresses[1];
  }

  /** 0 for 16-bit values. */
  long scales() {
    return addresses[2];
  }

  /** 0 without one. */
  long codebook() {
    return addresses[3];
  }

  /** 0 without zero points. */
  long offsets() {
    return addresses[4];
  }

  @Override
  public void close() {
    memory.close();
  }
}
