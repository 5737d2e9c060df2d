package dev.filigree;

/**
 * A device or kernel set that is missing or failed. The message names it and what would make it
 * work.
 */
public final class DeviceException extends FiligreeException {
  private static final long serialVersionUID = 1;

  public DeviceException(String problem, String remedy) {
    super(problem, remedy, null);
  }

  public DeviceException(String problem, String remedy, Throwable cause) {
    super(problem, remedy, cause);
  }
}
