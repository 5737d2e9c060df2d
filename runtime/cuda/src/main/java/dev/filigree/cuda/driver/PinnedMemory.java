package dev.filigree.cuda.driver;

import java.lang.foreign.MemorySegment;
import jcuda.driver.JCudaDriver;

/**
 * Memory of the process that stays where it is, so that the device copies from and to it by itself
 * while the program goes on.
 */
public final class PinnedMemory implements AutoCloseable {
  private final CudaContext context;
  private final long address;
  private final MemorySegment segment;
  private boolean closed;

  PinnedMemory(CudaContext context, long bytes) {
    Calls.HostAddress variable = new Calls.HostAddress();
    context.call(
        "allocate " + bytes + " bytes of pinned memory",
        () -> JCudaDriver.cuMemHostAlloc(variable, bytes, 0));
    this.context = context;
    this.address = variable.value();
    this.segment = segment(address, bytes);
  }

  @SuppressWarnings("restricted") // the driver made memory of just this size there
  private static MemorySegment segment(long address, long bytes) {
    return MemorySegment.ofAddress(address).reinterpret(bytes);
  }

  /** Its bytes; not to be used after it was closed. */
  public MemorySegment segment() {
    return segment;
  }

  /** Frees it; no copy from or to it may be going on. May be called again. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      context.release(
          "free " + segment.byteSize() + " bytes of pinned memory",
          () -> JCudaDriver.cuMemFreeHost(Calls.host(address)));
    }
  }
}
