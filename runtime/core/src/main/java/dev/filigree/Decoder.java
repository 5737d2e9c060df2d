package dev.filigree;

import dev.filigree.format.checkpoint.CachedDecoder;
import dev.filigree.plan.LayerPlan;
import dev.filigree.spi.Devices;
import dev.filigree.spi.SequenceRunner;
import java.util.List;

/**
 * A decoder that reads sequences token by token and remembers what it has read, so that each
 * further token costs one token's work. Thread-safe: sequences of several threads take turns.
 */
public final class Decoder implements AutoCloseable {
  private final Model model;
  private final DecoderOptions options;
  private final CachedDecoder network;
  private final Device device;
  private final SequenceRunner runner;
  private boolean closed;

  Decoder(Model model, DecoderOptions options) {
    this.model = model;
    this.network = CachedDecoder.of(model);
    int positions = network.positions();
    // no sequence is longer than the table of positions
    this.options =
        positions > 0 && positions < options.longest() ? options.withLongest(positions) : options;
    Devices.Chosen chosen = Devices.choose(options.session().device());
    this.device = chosen.device();
    this.runner =
        chosen.provider().decoder(device, network, this.options, "filigree-" + model.name());
  }

  /** The model it runs. */
  public Model model() {
    return model;
  }

  /** The options it was opened with, the longest sequence no longer than its positions go. */
  public DecoderOptions options() {
    return options;
  }

  /** The device it runs on. */
  public Device device() {
    return device;
  }

  /** Name of the kernels it runs with. */
  public String kernels() {
    return runner.kernels();
  }

  /** Number of tokens there are. */
  public int vocabulary() {
    return network.vocabulary();
  }

  /** Tokens after which a text is complete. */
  public List<Long> ends() {
    return network.ends();
  }

  /** Bytes of weights laid out for the kernels, beside the model's own. */
  public long packedBytes() {
    return runner.packedBytes();
  }

  /** Bytes of the cache's pages, those in use and those that were. */
  public long cacheBytes() {
    return runner.cacheBytes();
  }

  /** Bytes of cache that a token takes. */
  public double bytesPerToken() {
    return runner.bytesPerToken();
  }

  /** What reading a number of tokens at once does, layer by layer. */
  public List<LayerPlan> plan(int tokens) {
    return runner.layers(tokens);
  }

  /** Begins a sequence. */
  public Decoding start() {
    return new Decoding(runner, network.vocabulary());
  }

  /** Frees cache and threads; its sequences cannot be read on. May be called again. */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      // the file is let go of also if a device that is gone refuses to end its context
      try {
        runner.close();
      } finally {
        model.release();
      }
    }
  }
}
