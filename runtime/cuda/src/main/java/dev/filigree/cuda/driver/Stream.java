package dev.filigree.cuda.driver;

import java.lang.foreign.MemorySegment;
import jcuda.driver.CUgraph;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/** A queue of work on the device: what is put in runs in order, after the call has returned. */
public final class Stream implements AutoCloseable {
  private final CudaContext context;
  private final CUstream handle = new CUstream();
  private boolean closed;

  Stream(CudaContext context) {
    this.context = context;
    context.call(
        "create a stream",
        () -> JCudaDriver.cuStreamCreate(handle, CUstream_flags.CU_STREAM_NON_BLOCKING));
  }

  /** JCuda's handle, for cuBLAS and cuSPARSE. */
  public CUstream handle() {
    return handle;
  }

  CudaContext context() {
    return context;
  }

  /** Copies pinned memory to the device, later. */
  public void upload(MemorySegment pinned, long address) {
    context.call(
        "copy " + pinned.byteSize() + " bytes to the device",
        () ->
            JCudaDriver.cuMemcpyHtoDAsync(
                Calls.device(address), Calls.host(pinned.address()), pinned.byteSize(), handle));
  }

  /** Copies from the device into pinned memory, later. */
  public void download(long address, MemorySegment pinned) {
    context.call(
        "copy " + pinned.byteSize() + " bytes from the device",
        () ->
            JCudaDriver.cuMemcpyDtoHAsync(
                Calls.host(pinned.address()), Calls.device(address), pinned.byteSize(), handle));
  }

  /** Copies on the device, later. */
  public void copy(long from, long to, long bytes) {
    context.call(
        "copy " + bytes + " bytes on the device",
        () -> JCudaDriver.cuMemcpyDtoDAsync(Calls.device(to), Calls.device(from), bytes, handle));
  }

  /** Sets bytes on the device, later. */
  public void fill(long address, long bytes, byte value) {
    context.call(
        "fill " + bytes + " bytes on the device",
        () -> JCudaDriver.cuMemsetD8Async(Calls.device(address), value, bytes, handle));
  }

  /** Waits for all that was put in. */
  public void synchronize() {
    context.call("wait for the stream", () -> JCudaDriver.cuStreamSynchronize(handle));
  }

  /** Lets what is put in from now on wait for an event of another stream. */
  public void await(Event event) {
    context.call(
        "wait for an event", () -> JCudaDriver.cuStreamWaitEvent(handle, event.handle(), 0));
  }

  /**
   * Records what is put into the stream, instead of running it, as a graph that can be run again
   * and again.
   *
   * @param work puts its work into this stream only, and waits for nothing
   */
  public CudaGraph capture(Runnable work) {
    context.call(
        "begin a capture",
        () ->
            JCudaDriver.cuStreamBeginCapture(
                handle, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    CUgraph graph = new CUgraph();
    try {
      work.run();
    } catch (RuntimeException | Error failed) {
      abandon(graph, failed);
      throw failed;
    }
    context.call("end a capture", () -> JCudaDriver.cuStreamEndCapture(handle, graph));
    return new CudaGraph(context, graph);
  }

  /** Ends a capture that failed, so that the stream can be used again. */
  private void abandon(CUgraph graph, Throwable failed) {
    try {
      context.call(
          "end a capture that failed",
          () -> {
            int result = JCudaDriver.cuStreamEndCapture(handle, graph);
            return result == CUresult.CUDA_SUCCESS ? JCudaDriver.cuGraphDestroy(graph) : result;
          });
    } catch (DriverException second) {
      failed.addSuppressed(second);
    }
  }

  /** Ends it once its work is done. May be called again. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      context.release("end a stream", () -> JCudaDriver.cuStreamDestroy(handle));
    }
  }
}
