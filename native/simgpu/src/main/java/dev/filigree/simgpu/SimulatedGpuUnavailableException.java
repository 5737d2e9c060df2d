package dev.filigree.simgpu;

/** The simulated GPU cannot be used here; the message says why and what helps. */
public final class SimulatedGpuUnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  SimulatedGpuUnavailableException(String message) {
    super(message);
  }

  SimulatedGpuUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
