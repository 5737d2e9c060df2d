package dev.filigree.cuda.driver;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jcuda.driver.JCudaDriver;

/**
 * Memory on the device. The copies here wait until they are done; they do not wait for streams,
 * which must be waited for before what they write is read.
 */
public final class DeviceMemory implements AutoCloseable {
  /** Bytes that heap memory is copied in at a time. */
  private static final long CHUNK = 4 << 20;

  private final CudaContext context;
  private final long address;
  private final long bytes;
  private boolean closed;

  DeviceMemory(CudaContext context, long bytes) {
    Calls.DeviceAddress variable = new Calls.DeviceAddress();
    context.call(
        "allocate " + bytes + " bytes on the device",
        () -> JCudaDriver.cuMemAlloc(variable, bytes));
    this.context = context;
    this.address = variable.value();
    this.bytes = bytes;
  }

  /** Address of its first byte. */
  public long address() {
    return address;
  }

  /** Its size. */
  public long bytes() {
    return bytes;
  }

  /** Copies a segment to the device. */
  public void upload(MemorySegment from, long offset) {
    check(offset, from.byteSize());
    if (from.isNative()) {
      copyIn(from, offset);
      settle();
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment chunk = arena.allocate(Math.max(1, Math.min(CHUNK, from.byteSize())));
      for (long at = 0; at < from.byteSize(); at += CHUNK) {
        long size = Math.min(CHUNK, from.byteSize() - at);
        MemorySegment.copy(from, at, chunk, 0, size);
        copyIn(chunk.asSlice(0, size), offset + at);
      }
    }
    settle();
  }

  /** Copies from the device into a segment. */
  public void download(long offset, MemorySegment to) {
    check(offset, to.byteSize());
    if (to.isNative()) {
      copyOut(offset, to);
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment chunk = arena.allocate(Math.max(1, Math.min(CHUNK, to.byteSize())));
      for (long at = 0; at < to.byteSize(); at += CHUNK) {
        long size = Math.min(CHUNK, to.byteSize() - at);
        copyOut(offset + at, chunk.asSlice(0, size));
        MemorySegment.copy(chunk, 0, to, at, size);
      }
    }
  }

  /** Sets bytes. */
  public void fill(long offset, long count, byte value) {
    check(offset, count);
    if (count > 0) {
      context.call(
          "fill " + count + " bytes on the device",
          () -> JCudaDriver.cuMemsetD8(Calls.device(address + offset), value, count));
      settle();
    }
  }

  /**
   * The driver returns from a copy when it has read the memory of the process, and from a fill at
   * once; streams of ours do not wait for either.
   */
  private void settle() {
    context.call("wait for the copy", () -> JCudaDriver.cuStreamSynchronize(null));
  }

  private void copyIn(MemorySegment from, long offset) {
    if (from.byteSize() > 0) {
      context.call(
          "copy " + from.byteSize() + " bytes to the device",
          () ->
              JCudaDriver.cuMemcpyHtoD(
                  Calls.device(address + offset), Calls.host(from.address()), from.byteSize()));
    }
  }

  private void copyOut(long offset, MemorySegment to) {
    if (to.byteSize() > 0) {
      context.call(
          "copy " + to.byteSize() + " bytes from the device",
          () ->
              JCudaDriver.cuMemcpyDtoH(
                  Calls.host(to.address()), Calls.device(address + offset), to.byteSize()));
    }
  }

  private void check(long offset, long size) {
    if (offset < 0 || size > bytes - offset) {
      throw new IndexOutOfBoundsException(
          size + " bytes at " + offset + " exceed memory of " + bytes + " bytes");
    }
  }

  /** Frees it; nothing on the device may use it any more. May be called again. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      context.release(
          "free " + bytes + " bytes on the device",
          () -> JCudaDriver.cuMemFree(Calls.device(address)));
    }
  }
}
