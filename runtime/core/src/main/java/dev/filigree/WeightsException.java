package dev.filigree;

/**
 * Weights that cannot be represented or are not what they claim to be. The message names the layer.
 */
public final class WeightsException extends FiligreeException {
  private static final long serialVersionUID = 1;

  public WeightsException(String problem, String remedy) {
    super(problem, remedy, null);
  }

  public WeightsException(String problem, String remedy, Throwable cause) {
    super(problem, remedy, cause);
  }
}
