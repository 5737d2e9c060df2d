package dev.filigree.cuda;

import dev.filigree.DecoderOptions;
import dev.filigree.Device;
import dev.filigree.SessionOptions;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.plan.DeviceDecoder;
import dev.filigree.cuda.plan.DeviceRunner;
import dev.filigree.format.checkpoint.CachedDecoder;
import dev.filigree.graph.Graph;
import dev.filigree.spi.DeviceProvider;
import dev.filigree.spi.DeviceStatus;
import dev.filigree.spi.LibraryStatus;
import dev.filigree.spi.Runner;
import dev.filigree.spi.SequenceRunner;
import java.util.List;

/** NVIDIA GPUs. Every session has a context of its own, so that one's failure leaves others be. */
public final class CudaProvider implements DeviceProvider {
  /** For the service loader. */
  public CudaProvider() {}

  @Override
  public Device.Kind kind() {
    return Device.Kind.CUDA;
  }

  @Override
  public List<DeviceStatus> devices() {
    return CudaProbe.devices();
  }

  @Override
  public List<LibraryStatus> libraries() {
    return CudaProbe.libraries();
  }

  @Override
  public Runner open(Device device, Graph graph, SessionOptions options, String name) {
    return new DeviceRunner(graph, options, CudaDriver.open().context(device.index()));
  }

  @Override
  public SequenceRunner decoder(
      Device device, CachedDecoder decoder, DecoderOptions options, String name) {
    return new DeviceDecoder(decoder, options, CudaDriver.open().context(device.index()));
  }
}
