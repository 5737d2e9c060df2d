package dev.filigree.serving;

import dev.filigree.Model;
import dev.filigree.RejectedException;
import dev.filigree.RejectedException.Kind;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/** The memory that the weights of a host's models share. Thread-safe. */
final class WeightBudget {
  private final long maxBytes;

  /** Bytes of every model that is open, served or not. */
  private final Map<Model, LongSupplier> held = new IdentityHashMap<>();

  WeightBudget(long maxBytes) {
    this.maxBytes = maxBytes;
  }

  /**
   * Notes what a model takes, beside all others, even if it is too much: it is there until it is
   * closed.
   *
   * @throws RejectedException if it is too much
   */
  synchronized void reserve(String name, Model model, LongSupplier bytes) {
    held.remove(model);
    long taken = held.values().stream().mapToLong(LongSupplier::getAsLong).sum();
    long wanted = bytes.getAsLong();
    held.put(model, bytes);
    if (wanted > maxBytes - taken) {
      throw new RejectedException(
          Kind.MEMORY,
          "model '"
              + name
              + "' takes "
              + wanted
              + " bytes, but of "
              + maxBytes
              + " only "
              + Math.max(0, maxBytes - taken)
              + " are free",
          "unload another model, wait until replaced versions have finished their requests,"
              + " compress it, or allow more memory");
    }
  }

  synchronized void free(Model model) {
    held.remove(model);
  }
}
