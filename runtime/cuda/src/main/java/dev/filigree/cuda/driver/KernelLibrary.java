package dev.filigree.cuda.driver;

import dev.filigree.DeviceException;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.KernelManifest;
import java.util.HashMap;
import java.util.Map;

/**
 * The kernels of the manifest in a context, compiled when they are first asked for. Thread-safe.
 */
public final class KernelLibrary implements AutoCloseable {
  private final CudaContext context;
  private final Map<String, CudaModule> modules = new HashMap<>();
  private final Map<String, Kernel> kernels = new HashMap<>();

  public KernelLibrary(CudaContext context) {
    this.context = context;
  }

  /** Where the kernels are. */
  public CudaContext context() {
    return context;
  }

  /**
   * A kernel, ready to be launched.
   *
   * @throws DeviceException if the device is too old for it, or the driver cannot compile it
   */
  public synchronized Kernel kernel(KernelEntry entry) {
    Kernel kernel = kernels.get(entry.entry());
    if (kernel == null) {
      GpuProperties properties = context.properties();
      if (properties.architecture() < entry.minimumArchitecture()) {
        throw new DeviceException(
            "kernel "
                + entry.entry()
                + " needs compute capability "
                + entry.minimumArchitecture() / 10.0
                + " but "
                + context
                + " has "
                + properties.architecture() / 10.0,
            "use a newer GPU or the CPU");
      }
      kernel = new Kernel(module(entry.ptx()), entry);
      kernels.put(entry.entry(), kernel);
    }
    return kernel;
  }

  private CudaModule module(String ptx) {
    CudaModule module = modules.get(ptx);
    if (module == null) {
      module = context.load(ptx, KernelManifest.ptx(ptx));
      modules.put(ptx, module);
    }
    return module;
  }

  /** Unloads the kernels; none may be running. May be called again. */
  @Override
  public synchronized void close() {
    kernels.clear();
    modules.values().forEach(CudaModule::close);
    modules.clear();
  }
}
