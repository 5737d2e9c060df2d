package dev.filigree.plan;

import dev.filigree.DecoderOptions;
import dev.filigree.Device;
import dev.filigree.SessionOptions;
import dev.filigree.format.checkpoint.CachedDecoder;
import dev.filigree.graph.Graph;
import dev.filigree.spi.DeviceProvider;
import dev.filigree.spi.DeviceStatus;
import dev.filigree.spi.KernelAhead;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Runner;
import dev.filigree.spi.SequenceRunner;
import java.util.List;
import java.util.Set;

/** The CPU, which is always there. */
public final class CpuProvider implements DeviceProvider {
  public CpuProvider() {}

  @Override
  public Device.Kind kind() {
    return Device.Kind.CPU;
  }

  @Override
  public List<DeviceStatus> devices() {
    return List.of(
        DeviceStatus.ready(
            Device.cpu(), Runtime.getRuntime().availableProcessors() + " processors"));
  }

  @Override
  public void prepare(Set<String> types, SessionOptions options) {
    KernelAhead.compile(options.kernels(), types);
  }

  @Override
  public Runner open(Device device, Graph graph, SessionOptions options, String name) {
    return new GraphRunner(graph, options, KernelSets.open(options.kernels()), name);
  }

  @Override
  public SequenceRunner decoder(
      Device device, CachedDecoder decoder, DecoderOptions options, String name) {
    return new DecoderRunner(
        decoder,
        options.session(),
        KernelSets.open(options.session().kernels()),
        options.longest(),
        options.cacheBytes(),
        name);
  }
}
