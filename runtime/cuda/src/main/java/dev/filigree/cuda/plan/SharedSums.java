package dev.filigree.cuda.plan;

import dev.filigree.plan.Arenas;

/**
 * Memory for the sums of tiles that several blocks share, one piece for all launches of a stream,
 * which follow each other. Arrivals are 0 before and after each launch, so they are set once.
 *
 * <pre>
 *   arrivals of the launch with the most tiles | slots of the one with the most
 *          arrivals of one with fewer tiles    | its slots
 * </pre>
 *
 * Arrivals of every launch end where slots begin, so that no slot covers the arrivals of another.
 * Not thread-safe while it is made; later nothing changes it.
 */
final class SharedSums {
  private long offset;
  private long arrivalBytes;
  private long slotBytes;

  /** Makes room for an option's launches. */
  void need(LayerOption option) {
    option
        .shared()
        .ifPresent(
            grid -> {
              arrivalBytes = Math.max(arrivalBytes, grid.arrivalBytes());
              slotBytes = Math.max(slotBytes, grid.slotsBytes());
            });
  }

  /** Puts it somewhere in an arena. */
  void placeAt(long place) {
    offset = place;
  }

  /** Where it is in the arena. */
  long offset() {
    return offset;
  }

  /** Bytes at its start that must be 0 before the first launch. */
  long arrivalBytes() {
    return arrivalBytes;
  }

  /** All of its bytes, a multiple of what buffers are aligned to. */
  long bytes() {
    return Arenas.aligned(arrivalBytes + slotBytes);
  }

  /**
   * The address an option's launches take; 0 where they share no tiles.
   *
   * @param arena start of the arena
   */
  long address(long arena, LayerOption option) {
    return option
        .shared()
        .map(grid -> arena + offset + arrivalBytes - grid.arrivalBytes())
        .orElse(0L);
  }
}
