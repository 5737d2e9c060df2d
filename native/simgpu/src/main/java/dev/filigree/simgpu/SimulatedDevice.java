package dev.filigree.simgpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A simulated GPU under JCuda. {@link #open} loads the simulated CUDA libraries before JCuda looks
 * for real ones, so it must come before the first use of JCuda in the process; from then on all of
 * the process's CUDA calls go to the simulation.
 *
 * <p>There is one device per process and one open object at a time. Closing it ends every context,
 * reports what they left behind and keeps the libraries loaded. Safe for use from several threads.
 */
@SuppressWarnings("restricted") // loading libraries is what this is for
public final class SimulatedDevice implements AutoCloseable {
  private static final Object LOCK = new Object();
  private static SimulatedDevice current;

  private final Functions functions;
  private final DeviceSettings settings;
  private boolean closed;

  private SimulatedDevice(Functions functions, DeviceSettings settings) {
    this.functions = functions;
    this.settings = settings;
  }

  /** Why {@link #open} would fail on this machine; empty when it would not. */
  public static Optional<String> unavailable() {
    return NativeLibraries.missing();
  }

  /**
   * Opens the device with these settings, without findings and counters of earlier use.
   *
   * @throws SimulatedGpuUnavailableException if the libraries are missing or cannot be loaded
   * @throws IllegalArgumentException if the settings name no device, or no fault
   * @throws IllegalStateException if a device is open already
   */
  public static SimulatedDevice open(DeviceSettings settings) {
    synchronized (LOCK) {
      if (current != null) {
        throw new IllegalStateException("a simulated device is open already; close it first");
      }
      Functions functions = new Functions(NativeLibraries.load());
      functions.call(functions.endContexts);
      functions.configure(settings.words());
      functions.call(functions.clear);
      current = new SimulatedDevice(functions, settings);
      return current;
    }
  }

  /**
   * Whether the system property {@code filigree.simgpu} is {@code off}: tests then run on the GPU
   * of this machine, and {@link #open} refuses.
   */
  public static boolean isOff() {
    return NativeLibraries.isOff();
  }

  /** Whether a device is open in this process. */
  public static boolean isOpen() {
    synchronized (LOCK) {
      return current != null;
    }
  }

  /**
   * Plans other faults while the device is in use; calls are counted from here on.
   *
   * @param faults such as {@code alloc=3,launch=2}; empty for none
   * @throws IllegalArgumentException if there is no such fault
   */
  public void inject(String faults) {
    functions.configure(settings.withFaults(faults).words());
  }

  /** Everything found since the device was opened or last cleared, oldest first. */
  public List<Finding> findings() {
    return Reports.findings(functions.text(functions.findings));
  }

  /** The launches since the device was opened or last cleared, oldest first, at most 4096. */
  public List<Launch> launches() {
    return Reports.launches(functions.text(functions.counters));
  }

  /**
   * The parameters of a kernel, from the module loaded last that has one of this name; see {@link
   * KernelParameters}.
   *
   * @throws IllegalArgumentException if no loaded module has such a kernel
   */
  public KernelSignature signature(String kernel) {
    return Reports.signature(functions.signatureOf(kernel));
  }

  /** All counters, of each launch and summed by kernel, as JSON. */
  public String counters() {
    return functions.text(functions.counters);
  }

  /**
   * Projected times of the launches, one for each launch and published device, oldest launch first:
   * a model's answer, never a measurement. Needs {@link DeviceSettings#traffic()}.
   */
  public List<Projection> projections() {
    return Reports.projections(projection());
  }

  /** The same as JSON. */
  public String projection() {
    return functions.text(functions.projection);
  }

  /** The same as tables to be read, one for each launch. */
  public String projectionTable() {
    return functions.text(functions.projectionTable);
  }

  /** Forgets findings and counters. */
  public void clear() {
    functions.call(functions.clear);
  }

  /** Ends every context of the process as if it had been destroyed; leaks become findings. */
  public void endContexts() {
    functions.call(functions.endContexts);
  }

  @Override
  public void close() {
    synchronized (LOCK) {
      if (!closed) {
        closed = true;
        endContexts();
        current = null;
      }
    }
  }

  /** The simulated device's own functions in libcuda.so.1. */
  private static final class Functions {
    final MethodHandle configure;
    final MethodHandle message;
    final MethodHandle endContexts;
    final MethodHandle clear;
    final MethodHandle findings;
    final MethodHandle counters;
    final MethodHandle projection;
    final MethodHandle projectionTable;
    final MethodHandle signature;
    final MethodHandle free;

    Functions(Path library) {
      SymbolLookup symbols = SymbolLookup.libraryLookup(library, Arena.global());
      configure = find(symbols, "simgpuConfigure", FunctionDescriptor.of(JAVA_INT, ADDRESS));
      message = find(symbols, "simgpuMessage", FunctionDescriptor.of(ADDRESS));
      endContexts = find(symbols, "simgpuEndContexts", FunctionDescriptor.ofVoid());
      clear = find(symbols, "simgpuClear", FunctionDescriptor.ofVoid());
      findings = find(symbols, "simgpuFindings", FunctionDescriptor.of(ADDRESS));
      counters = find(symbols, "simgpuCounters", FunctionDescriptor.of(ADDRESS));
      projection = find(symbols, "simgpuProjection", FunctionDescriptor.of(ADDRESS));
      projectionTable = find(symbols, "simgpuProjectionTable", FunctionDescriptor.of(ADDRESS));
      signature = find(symbols, "simgpuKernelSignature", FunctionDescriptor.of(ADDRESS, ADDRESS));
      free = find(symbols, "simgpuFree", FunctionDescriptor.ofVoid(ADDRESS));
    }

    private static MethodHandle find(SymbolLookup symbols, String name, FunctionDescriptor type) {
      return Linker.nativeLinker().downcallHandle(symbols.findOrThrow(name), type);
    }

    void call(MethodHandle function) {
      try {
        function.invokeExact();
      } catch (Throwable e) {
        throw broken(e);
      }
    }

    void configure(String words) {
      try (Arena arena = Arena.ofConfined()) {
        if ((int) configure.invokeExact(arena.allocateFrom(words)) != 0) {
          throw new IllegalArgumentException(string((MemorySegment) message.invokeExact()));
        }
      } catch (IllegalArgumentException e) {
        throw e;
      } catch (Throwable e) {
        throw broken(e);
      }
    }

    String signatureOf(String kernel) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment text = (MemorySegment) signature.invokeExact(arena.allocateFrom(kernel));
        if (text.address() == 0) {
          throw new IllegalArgumentException("no loaded module has a kernel '" + kernel + "'");
        }
        return taken(text);
      } catch (IllegalArgumentException e) {
        throw e;
      } catch (Throwable e) {
        throw broken(e);
      }
    }

    String text(MethodHandle function) {
      try {
        return taken((MemorySegment) function.invokeExact());
      } catch (Throwable e) {
        throw broken(e);
      }
    }

    private String taken(MemorySegment text) throws Throwable {
      String copy = string(text);
      free.invokeExact(text);
      return copy;
    }

    private static String string(MemorySegment text) {
      return text.reinterpret(Long.MAX_VALUE).getString(0);
    }

    private static AssertionError broken(Throwable e) {
      return new AssertionError("a function of libcuda.so.1 has another signature", e);
    }
  }
}
