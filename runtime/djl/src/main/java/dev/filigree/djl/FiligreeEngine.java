package dev.filigree.djl;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.engine.StandardCapabilities;
import ai.djl.ndarray.NDManager;
import dev.filigree.spi.DeviceProvider;
import dev.filigree.spi.DeviceStatus;
import dev.filigree.spi.Devices;
import java.util.List;

/**
 * Runs compressed models under DJL. Arrays live in host memory and know how to be batched, split
 * and converted; algebra on them is not what this engine is for, and a call says so.
 */
public final class FiligreeEngine extends Engine {
  /** The engine's name in {@code Criteria.optEngine} and {@code serving.properties}. */
  public static final String NAME = "Filigree";

  /** Behind the engines that train, as ONNX Runtime's is: whoever wants this one names it. */
  static final int RANK = 10;

  FiligreeEngine() {}

  /** None: no other engine is loaded behind the user's back. */
  @Override
  public Engine getAlternativeEngine() {
    return null;
  }

  @Override
  public String getEngineName() {
    return NAME;
  }

  @Override
  public int getRank() {
    return RANK;
  }

  @Override
  public String getVersion() {
    String version = FiligreeEngine.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  @Override
  public boolean hasCapability(String capability) {
    return StandardCapabilities.CUDA.equals(capability) && getGpuCount() > 0;
  }

  /** GPUs that Filigree can use, as its own probe found them. */
  @Override
  public int getGpuCount() {
    return (int)
        Devices.providers().stream()
            .map(DeviceProvider::devices)
            .flatMap(List::stream)
            .filter(DeviceStatus::ready)
            .filter(status -> status.device().kind() == dev.filigree.Device.Kind.CUDA)
            .count();
  }

  @Override
  public Device defaultDevice() {
    return getGpuCount() > 0 ? Device.gpu() : Device.cpu();
  }

  @Override
  public Model newModel(String name, Device device) {
    return new FiligreeModel(name, HostManager.SYSTEM.newSubManager(device));
  }

  @Override
  public NDManager newBaseManager() {
    return newBaseManager(null);
  }

  @Override
  public NDManager newBaseManager(Device device) {
    return HostManager.SYSTEM.newSubManager(device);
  }
}
