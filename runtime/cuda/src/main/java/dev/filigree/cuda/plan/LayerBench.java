package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Stream;
import java.util.ArrayList;
import java.util.List;

/** Memory to run the candidates of a layer in, and the candidates bound to it. */
final class LayerBench implements AutoCloseable {
  /** What an address of memory that is not needed may point to: no allocation is empty. */
  private static final long LEAST_BYTES = 16;

  private final DeviceState device;
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final List<Candidate> candidates = new ArrayList<>();
  private final Stream stream;

  /** A bench without candidates. */
  LayerBench(DeviceState device) {
    this.device = device;
    this.stream = own(device.context().stream());
  }

  /** A way to run the layer, and the launches that do. */
  record Candidate(LayerOption option, DeviceStep.Work work) {}

  private <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  /** Memory of its own; at least one access of a kernel. */
  DeviceMemory memory(long bytes) {
    return own(device.context().allocate(Math.max(LEAST_BYTES, bytes)));
  }

  /** Memory of zeros. */
  DeviceMemory zeros(long bytes) {
    DeviceMemory memory = memory(bytes);
    memory.fill(0, memory.bytes(), (byte) 0);
    return memory;
  }

  /** Adds a candidate, bound to memory of this bench. */
  void add(LayerOption option, DeviceStep.Work work) {
    candidates.add(new Candidate(option, work));
  }

  DeviceState device() {
    return device;
  }

  Stream stream() {
    return stream;
  }

  /** The candidates, in order. */
  List<Candidate> candidates() {
    return candidates;
  }

  @Override
  public void close() {
    for (AutoCloseable each : owned.reversed()) {
      try {
        each.close();
      } catch (RuntimeException failed) {
        throw failed;
      } catch (Exception checked) {
        throw new IllegalStateException("closing what is on the device throws none", checked);
      }
    }
    owned.clear();
  }
}
