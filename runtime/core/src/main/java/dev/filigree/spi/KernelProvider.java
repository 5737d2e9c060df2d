package dev.filigree.spi;

/**
 * Brings a set of CPU kernels. Providers are found by {@link java.util.ServiceLoader}; the one of
 * the highest rank whose probe succeeds serves. A provider must not link the classes of its kernels
 * before {@link #open()}.
 */
public interface KernelProvider {
  /** Short name, for example {@code vector}. */
  String name();

  /** Higher serves first; the scalar kernels have rank 0. */
  int rank();

  /** Whether it brings some kernels only and stands on the best other set for the rest. */
  default boolean isPartial() {
    return false;
  }

  /** Whether the kernels can run here. Never throws, and says the same each time. */
  Probe probe();

  /** The kernels; only after a probe that was {@link Probe.Ready}. */
  Kernels open();

  /** Result of a probe. */
  sealed interface Probe {
    /**
     * The kernels can run.
     *
     * @param detail what they run on, for example {@code 512-bit}
     */
    record Ready(String detail) implements Probe {}

    /**
     * The kernels cannot run.
     *
     * @param why the cause
     * @param fix what would make them run
     */
    record Missing(String why, String fix) implements Probe {}
  }
}
