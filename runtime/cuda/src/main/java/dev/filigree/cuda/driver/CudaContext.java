package dev.filigree.cuda.driver;

import dev.filigree.DeviceException;
import java.util.function.IntFunction;
import java.util.function.IntSupplier;
import jcuda.driver.CUcontext;
import jcuda.driver.CUctx_flags;
import jcuda.driver.CUdevice;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * A context on a device: memory, modules and streams that live and fail together, apart from those
 * of other contexts. Each operation makes the context current for its own duration and puts back
 * what the calling thread had, so any thread may use it and the program's own use of CUDA is not
 * disturbed. Thread-safe.
 *
 * <p>What was made in it should be closed before it; what was not ends with it.
 */
public final class CudaContext implements AutoCloseable {
  /** Where a context goes that is no longer current; nobody reads it. */
  private static final CUcontext POPPED = new CUcontext();

  private final GpuProperties properties;
  private final String label;
  private final CUcontext handle = new CUcontext();
  private volatile boolean lost;
  private boolean closed;

  CudaContext(GpuProperties properties, CUdevice device) {
    this.properties = properties;
    this.label = properties.name() + " (cuda:" + properties.ordinal() + ")";
    Calls.check(
        label,
        "create a context",
        () -> JCudaDriver.cuCtxCreate(handle, CUctx_flags.CU_CTX_SCHED_AUTO, device));
    // creating it made it current
    Calls.check(label, "leave the context", () -> JCudaDriver.cuCtxPopCurrent(POPPED));
  }

  /** The device it is on. */
  public GpuProperties properties() {
    return properties;
  }

  /** Name of the device in messages. */
  public String label() {
    return label;
  }

  /** Whether a failure has ended all that is in it: it can only be closed. */
  public boolean isLost() {
    return lost;
  }

  /**
   * Memory on the device, its contents unknown.
   *
   * @throws DriverException if there is not enough
   */
  public DeviceMemory allocate(long bytes) {
    return new DeviceMemory(this, bytes);
  }

  /**
   * Memory of the process that the device copies from and to by itself.
   *
   * @throws DriverException if there is not enough
   */
  public PinnedMemory allocatePinned(long bytes) {
    return new PinnedMemory(this, bytes);
  }

  /**
   * Compiles PTX for the device.
   *
   * @param name in messages
   * @param ptx ASCII, without a NUL at its end
   * @throws DriverException if the driver refuses it; the message has the compiler's log
   */
  public CudaModule load(String name, byte[] ptx) {
    return new CudaModule(this, name, ptx);
  }

  /** A stream of its own, which waits for no other. */
  public Stream stream() {
    return new Stream(this);
  }

  /** A point in a stream. */
  public Event event() {
    return new Event(this);
  }

  /** Bytes of the device's memory that nobody has taken. */
  public long freeBytes() {
    long[] free = new long[1];
    long[] total = new long[1];
    call("ask for the free memory", () -> JCudaDriver.cuMemGetInfo(free, total));
    return free[0];
  }

  /** Waits for everything that was started in the context. */
  public void synchronize() {
    call("wait for the device", JCudaDriver::cuCtxSynchronize);
  }

  /**
   * Runs something that needs the context to be current, such as calls of cuBLAS.
   *
   * @param operation in messages
   * @param call answers a {@link CUresult}
   * @throws DriverException if it does not answer success
   */
  public void call(String operation, IntSupplier call) {
    int result = enter();
    if (result == CUresult.CUDA_SUCCESS) {
      try {
        result = Calls.result(call);
      } finally {
        leave();
      }
    }
    if (result != CUresult.CUDA_SUCCESS) {
      throw failure(operation, result, "");
    }
  }

  /**
   * Calls one of NVIDIA's libraries while the context is current.
   *
   * @param operation in messages
   * @param call answers a status of the library, 0 for success
   * @param names of statuses
   * @throws DriverException if it does not answer success
   */
  void callLibrary(String operation, IntSupplier call, IntFunction<String> names) {
    int[] status = new int[1];
    call(
        operation,
        () -> {
          status[0] = call.getAsInt();
          return CUresult.CUDA_SUCCESS;
        });
    if (status[0] != 0) {
      DriverException failure = DriverException.ofLibrary(label, operation, names.apply(status[0]));
      if (failure.kind() == DeviceException.Kind.LOST) {
        lost = true;
      }
      throw failure;
    }
  }

  /** The exception for an answer of the driver; notes when the context is lost. */
  DriverException failure(String operation, int result, String note) {
    DriverException failure = DriverException.of(label, operation, result, note);
    if (failure.kind() == DeviceException.Kind.LOST) {
      lost = true;
    }
    return failure;
  }

  /**
   * Frees something. In a lost context nothing can be freed but all of it, by closing the context.
   */
  void release(String operation, IntSupplier call) {
    synchronized (this) {
      if (closed) {
        return;
      }
    }
    if (lost) {
      enterQuietly(call);
    } else {
      call(operation, call);
    }
  }

  private void enterQuietly(IntSupplier call) {
    if (enter() == CUresult.CUDA_SUCCESS) {
      try {
        Calls.result(call);
      } finally {
        leave();
      }
    }
  }

  private int enter() {
    return Calls.result(() -> JCudaDriver.cuCtxPushCurrent(handle));
  }

  private void leave() {
    Calls.result(() -> JCudaDriver.cuCtxPopCurrent(POPPED));
  }

  /** Ends the context and all that is in it. May be called again. */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    int result = Calls.result(() -> JCudaDriver.cuCtxDestroy(handle));
    if (result != CUresult.CUDA_SUCCESS && !lost) {
      throw failure("end the context", result, "");
    }
  }

  @Override
  public String toString() {
    return label;
  }
}
