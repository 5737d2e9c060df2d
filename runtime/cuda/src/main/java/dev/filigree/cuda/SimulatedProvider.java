package dev.filigree.cuda;

import dev.filigree.DecoderOptions;
import dev.filigree.Device;
import dev.filigree.DeviceException;
import dev.filigree.SessionOptions;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.cuda.plan.DeviceDecoder;
import dev.filigree.cuda.plan.DeviceRunner;
import dev.filigree.cuda.plan.Projections;
import dev.filigree.format.checkpoint.CachedDecoder;
import dev.filigree.graph.Graph;
import dev.filigree.spi.DeviceProvider;
import dev.filigree.spi.DeviceStatus;
import dev.filigree.spi.Runner;
import dev.filigree.spi.SequenceRunner;
import java.util.List;
import java.util.Optional;

/**
 * The simulated GPU, for tests and debugging. It takes the place of the CUDA driver for the whole
 * process, from the first session on; a program that has used a real one must start another
 * process.
 */
public final class SimulatedProvider implements DeviceProvider {
  private static final Device SIMULATED = Device.parse("simulated");
  private static final String REMEDY =
      "start the command by its launcher, which builds it (cmake and g++ are needed), or build"
          + " native/simgpu and put its jar on the class path";

  /** For the service loader. */
  public SimulatedProvider() {}

  @Override
  public Device.Kind kind() {
    return Device.Kind.SIMULATED;
  }

  @Override
  public List<DeviceStatus> devices() {
    try {
      Optional<String> missing = Simulator.unavailable();
      return List.of(
          missing.isPresent()
              ? DeviceStatus.missing(SIMULATED, missing.get(), REMEDY)
              : DeviceStatus.ready(SIMULATED, "simulated Ampere GPU, never chosen by itself"));
    } catch (LinkageError absent) {
      return List.of(
          DeviceStatus.missing(
              SIMULATED, "the jar filigree-simgpu is not on the class path", REMEDY));
    }
  }

  @Override
  public Runner open(Device device, Graph graph, SessionOptions options, String name) {
    Optional<Projections> projections = Simulator.open(REMEDY);
    return new DeviceRunner(graph, options, driver().context(0), projections);
  }

  @Override
  public SequenceRunner decoder(
      Device device, CachedDecoder decoder, DecoderOptions options, String name) {
    Optional<Projections> projections = Simulator.open(REMEDY);
    return new DeviceDecoder(decoder, options, driver().context(0), projections);
  }

  /** The driver of this process, which must be the simulator's. */
  private static CudaDriver driver() {
    CudaDriver driver = CudaDriver.open();
    GpuProperties gpu = driver.properties(0);
    if (!gpu.isSimulated()) {
      throw new DeviceException(
          "the simulated GPU cannot be used: this process has the driver of " + gpu.name(),
          "use the simulated device in a process of its own");
    }
    return driver;
  }
}
