package dev.filigree;

import java.util.Objects;

/**
 * A device or kernel set that is missing or failed. The message names it, the operation, and what
 * would make it work. Device modules add what they know in subclasses.
 */
public non-sealed class DeviceException extends FiligreeException {
  private static final long serialVersionUID = 1;

  private final Kind kind;

  /** What a caller can do about it. */
  public enum Kind {
    /** The device or kernel set is not there: choose another, or mend what the message names. */
    MISSING,
    /** Memory ran out: the session stays usable for smaller inputs. */
    MEMORY,
    /** One operation was refused: the session stays usable. */
    OPERATION,
    /** The session's state on the device is gone: close it and open another. */
    LOST
  }

  /** Something that is missing. */
  public DeviceException(String problem, String remedy) {
    this(Kind.MISSING, problem, remedy, null);
  }

  /** Something that is missing, and why. */
  public DeviceException(String problem, String remedy, Throwable cause) {
    this(Kind.MISSING, problem, remedy, cause);
  }

  public DeviceException(Kind kind, String problem, String remedy, Throwable cause) {
    super(problem, remedy, cause);
    this.kind = Objects.requireNonNull(kind, "kind");
  }

  /** What a caller can do about it. */
  public Kind kind() {
    return kind;
  }
}
