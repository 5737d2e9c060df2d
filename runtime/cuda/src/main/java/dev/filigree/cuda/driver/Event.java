package dev.filigree.cuda.driver;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/** A point in a stream, with the time when it was reached. */
public final class Event implements AutoCloseable {
  private final CudaContext context;
  private final CUevent handle = new CUevent();
  private boolean closed;

  Event(CudaContext context) {
    this.context = context;
    context.call(
        "create an event", () -> JCudaDriver.cuEventCreate(handle, CUevent_flags.CU_EVENT_DEFAULT));
  }

  CUevent handle() {
    return handle;
  }

  /** Stands for all that was put into a stream so far. */
  public void record(Stream stream) {
    context.call("record an event", () -> JCudaDriver.cuEventRecord(handle, stream.handle()));
  }

  /** Waits until it is reached. */
  public void synchronize() {
    context.call("wait for an event", () -> JCudaDriver.cuEventSynchronize(handle));
  }

  /** Time from another event to this one, both reached, in microseconds. */
  public double microsSince(Event start) {
    float[] millis = new float[1];
    context.call(
        "ask for the time between events",
        () -> JCudaDriver.cuEventElapsedTime(millis, start.handle, handle));
    return millis[0] * 1e3;
  }

  /** Frees it. May be called again. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      context.release("free an event", () -> JCudaDriver.cuEventDestroy(handle));
    }
  }
}
