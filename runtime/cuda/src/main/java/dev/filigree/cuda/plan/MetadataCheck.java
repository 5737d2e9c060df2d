package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.DeviceException;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.cuda.operation.Gather;
import dev.filigree.cuda.operation.Sparsity24;
import java.lang.foreign.MemorySegment;

/**
 * Has the device itself look at 2:4 metadata where they lie now: illegal ones are undefined
 * behaviour of its tensor cores, which nothing else would catch.
 */
final class MetadataCheck {
  private MetadataCheck() {}

  /** Weights on the device, checked there. */
  static DeviceWeights load(DeviceState device, String layer, PackedWeights packed) {
    DeviceWeights weights = new DeviceWeights(device.context(), packed.parts(), packed.numbers());
    long bytes = packed.metadata().byteSize();
    try {
      if (bytes > 0) {
        check(device, layer, weights.address("meta"), bytes);
      }
      return weights;
    } catch (RuntimeException | Error failed) {
      weights.close();
      throw failed;
    }
  }

  /**
   * Checks metadata.
   *
   * @param address of them
   * @param bytes a multiple of 16
   * @throws DeviceException if a nibble names no two of four
   */
  static void check(DeviceState device, String layer, long address, long bytes) {
    MemorySegment found = MemorySegment.ofArray(new long[1]);
    try (DeviceMemory fault = device.context().allocate(Long.BYTES);
        Stream stream = device.context().stream()) {
      // every bit of what stands for no fault is set
      fault.fill(0, Long.BYTES, (byte) Gather.NO_FAULT);
      Sparsity24.check(device.kernels(), address, bytes / Integer.BYTES, fault.address())
          .into(stream);
      stream.synchronize();
      fault.download(0, found);
    }
    long position = found.get(DType.LONG, 0);
    if (position != Gather.NO_FAULT) {
      throw new DeviceException(
          DeviceException.Kind.OPERATION,
          "the 2:4 metadata of layer "
              + layer
              + " are not legal on the device: nibble "
              + position
              + " of "
              + 2 * bytes,
          "load the model again; if it stays so, the device's memory is faulty: use the device cpu",
          null);
    }
  }
}
