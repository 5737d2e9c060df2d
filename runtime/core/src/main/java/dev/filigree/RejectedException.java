package dev.filigree;

import java.util.Objects;

/**
 * A request that was not run although nothing is wrong with it: too many were waiting, its deadline
 * passed, the device failed, or the server is closing. The message says which; the same request may
 * succeed later.
 */
public final class RejectedException extends FiligreeException {
  private static final long serialVersionUID = 1;

  private final Kind kind;

  /** Why a request was turned away, and so what its caller can do. */
  public enum Kind {
    /** Too much waits already: try again a little later. */
    FULL,
    /** It was not done in the time it was given: allow more, or send less at once. */
    LATE,
    /** The memory that was set aside does not suffice: free some first. */
    MEMORY,
    /** What it was sent to is closing or closed: send it elsewhere. */
    CLOSED,
    /** The device failed, and what it held is being loaded again: try again a little later. */
    LOST
  }

  public RejectedException(Kind kind, String problem, String remedy) {
    super(problem, remedy, null);
    this.kind = Objects.requireNonNull(kind, "kind");
  }

  /** Why it was turned away. */
  public Kind kind() {
    return kind;
  }
}
