package dev.filigree.event;

import java.util.function.Supplier;
import jdk.jfr.Event;
import jdk.jfr.FlightRecorder;

/**
 * The way to Java's flight recorder. No event class is initialised before a recorder was started:
 * the first one makes the JDK read its annotations and build classes for them, a tenth of a second
 * of a process that may have no time to lose. Thread-safe.
 */
public final class Flight {
  private Flight() {}

  /**
   * Begins an event.
   *
   * @param event its constructor
   * @return null while nobody records it; to be committed otherwise
   */
  public static <E extends Event> E begin(Supplier<E> event) {
    if (!FlightRecorder.isInitialized()) {
      return null;
    }
    E begun = event.get();
    if (!begun.isEnabled()) {
      return null;
    }
    begun.begin();
    return begun;
  }

  /** Records that something slower is used than could be. */
  public static void fallback(String what, String reason, String remedy) {
    FallbackEvent event = begin(FallbackEvent::new);
    if (event != null) {
      event.what = what;
      event.reason = reason;
      event.remedy = remedy;
      event.commit();
    }
  }
}
