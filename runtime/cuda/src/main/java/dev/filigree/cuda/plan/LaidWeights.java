package dev.filigree.cuda.plan;

import dev.filigree.plan.Recorded;
import dev.filigree.weights.Weights;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.BiPredicate;
import java.util.function.Supplier;

/**
 * Weights on the device, once for each layout that some kernel wants. Not thread-safe.
 *
 * @param <L> what tells layouts apart
 */
final class LaidWeights<L> implements AutoCloseable {
  private final Map<Weights, Map<L, DeviceWeights>> all = new IdentityHashMap<>();

  /**
   * Weights in a layout, laid out and copied now if they are not yet.
   *
   * @param kernel that wants them, for who records this
   */
  DeviceWeights of(Weights weights, L layout, String kernel, Supplier<DeviceWeights> loader) {
    Map<L, DeviceWeights> layouts = all.computeIfAbsent(weights, unused -> new HashMap<>());
    DeviceWeights known = layouts.get(layout);
    if (known == null) {
      known = Recorded.pack(kernel, weights.format(), loader, DeviceWeights::bytes);
      layouts.put(layout, known);
    }
    return known;
  }

  /** Frees what is not used. */
  void retain(BiPredicate<Weights, L> used) {
    all.forEach(
        (weights, layouts) ->
            layouts
                .entrySet()
                .removeIf(
                    entry -> {
                      boolean unused = !used.test(weights, entry.getKey());
                      if (unused) {
                        entry.getValue().close();
                      }
                      return unused;
                    }));
  }

  /** Bytes of all of them. */
  long bytes() {
    return all.values().stream()
        .flatMap(layouts -> layouts.values().stream())
        .mapToLong(DeviceWeights::bytes)
        .sum();
  }

  @Override
  public void close() {
    all.values().forEach(layouts -> layouts.values().forEach(DeviceWeights::close));
    all.clear();
  }
}
