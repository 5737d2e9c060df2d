package dev.filigree.spi;

import dev.filigree.DecoderOptions;
import dev.filigree.Device;
import dev.filigree.DeviceException;
import dev.filigree.SessionOptions;
import dev.filigree.UnsupportedException;
import dev.filigree.format.checkpoint.CachedDecoder;
import dev.filigree.graph.Graph;
import java.util.List;
import java.util.Set;

/**
 * Brings devices. Providers are found by {@link java.util.ServiceLoader}. Constructing one must not
 * load the device's libraries.
 */
public interface DeviceProvider {
  /** The kind of devices it brings. */
  Device.Kind kind();

  /**
   * The devices and whether they can be used; one that stands for all if there is none. Never
   * throws, and says the same each time.
   */
  List<DeviceStatus> devices();

  /** The libraries the devices can make use of, and whether they were found. Never throws. */
  default List<LibraryStatus> libraries() {
    return List.of();
  }

  /**
   * Hears that a session is about to be opened, before the model is planned, so that what takes
   * long and needs no plan can begin. Returns at once.
   *
   * @param types of the model's nodes, as ONNX names them
   */
  default void prepare(Set<String> types, SessionOptions options) {}

  /**
   * Prepares a graph for a device.
   *
   * @param device of this provider's kind
   * @param graph after the standard passes
   * @param name of the session, in messages and names of threads
   * @throws DeviceException if the device cannot be used
   */
  Runner open(Device device, Graph graph, SessionOptions options, String name);

  /**
   * Prepares a decoder for a device.
   *
   * @param device of this provider's kind
   * @param name of the model, in messages and names of threads
   * @throws DeviceException if the device cannot be used
   * @throws UnsupportedException if its kernels do not take the decoder
   */
  default SequenceRunner decoder(
      Device device, CachedDecoder decoder, DecoderOptions options, String name) {
    throw new UnsupportedException(
        "decoding with a cache does not run on " + device, "use the device cpu");
  }
}
