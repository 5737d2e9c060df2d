package dev.filigree;

import java.util.Locale;

/**
 * Where a model runs.
 *
 * @param kind of device
 * @param index among the devices of a kind
 */
public record Device(Kind kind, int index) {
  public Device {
    if (index < 0) {
      throw new InputException(
          "there is no device number " + index, "count the devices of a kind from 0");
    }
  }

  /** Kinds of devices. */
  public enum Kind {
    /** The fastest device there is, the CPU if there is no other. */
    AUTO,
    CPU,
    CUDA,
    /** The simulated Ampere device, never chosen by itself. */
    SIMULATED
  }

  /** The fastest device there is. */
  public static Device auto() {
    return new Device(Kind.AUTO, 0);
  }

  /** The CPU. */
  public static Device cpu() {
    return new Device(Kind.CPU, 0);
  }

  /**
   * The device a text names: {@code auto}, {@code cpu}, {@code cuda}, {@code cuda:N} or {@code
   * simulated}.
   *
   * @throws InputException if it names none
   */
  public static Device parse(String text) {
    return switch (text) {
      case "auto" -> auto();
      case "cpu" -> cpu();
      case "cuda" -> new Device(Kind.CUDA, 0);
      case "simulated" -> new Device(Kind.SIMULATED, 0);
      default -> {
        if (!text.matches("cuda:\\d{1,4}")) {
          throw new InputException(
              "'" + text + "' is no device", "use auto, cpu, cuda, cuda:N or simulated");
        }
        yield new Device(Kind.CUDA, Integer.parseInt(text.substring("cuda:".length())));
      }
    };
  }

  @Override
  public String toString() {
    String name = kind.name().toLowerCase(Locale.ROOT);
    return kind == Kind.CUDA ? name + ":" + index : name;
  }
}
