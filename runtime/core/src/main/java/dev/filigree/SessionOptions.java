package dev.filigree;

/**
 * How a session runs. Immutable; every {@code with} method checks its value and says what is
 * allowed.
 *
 * @param device where the model runs
 * @param threads that work on one run, the caller included
 * @param concurrentRuns runs that may go on at the same time; further callers wait
 * @param shapes sets of input shapes whose plans are kept; the one used longest ago goes first
 * @param activationBytes bytes one run's activations may take; as many at most are kept ready
 *     between runs, over all shapes
 * @param kernels name of the kernel set to use, or empty for the best there is; on a GPU also how
 *     the names of the kernels of linear layers must begin
 * @param precision how far linear layers may round their inputs for speed
 */
public record SessionOptions(
    Device device,
    int threads,
    int concurrentRuns,
    int shapes,
    long activationBytes,
    String kernels,
    Precision precision) {
  /** Threads that a session may use at most. */
  private static final int MAX_THREADS = 1024;

  public SessionOptions {
    check("threads", threads, 1, MAX_THREADS);
    check("concurrentRuns", concurrentRuns, 1, 4096);
    check("shapes", shapes, 1, 4096);
    check("activationBytes", activationBytes, 1 << 16, Long.MAX_VALUE);
  }

  /**
   * All processors for one run, as many runs as processors, 16 sets of shapes, 8 GiB of
   * activations, exact.
   */
  public static SessionOptions defaults() {
    int processors = Runtime.getRuntime().availableProcessors();
    return new SessionOptions(
        Device.auto(),
        Math.min(processors, MAX_THREADS),
        processors,
        16,
        8L << 30,
        "",
        Precision.EXACT);
  }

  public SessionOptions withDevice(Device other) {
    return new SessionOptions(
        other, threads, concurrentRuns, shapes, activationBytes, kernels, precision);
  }

  public SessionOptions withThreads(int number) {
    return new SessionOptions(
        device, number, concurrentRuns, shapes, activationBytes, kernels, precision);
  }

  public SessionOptions withConcurrentRuns(int number) {
    return new SessionOptions(device, threads, number, shapes, activationBytes, kernels, precision);
  }

  public SessionOptions withShapes(int number) {
    return new SessionOptions(
        device, threads, concurrentRuns, number, activationBytes, kernels, precision);
  }

  public SessionOptions withActivationBytes(long bytes) {
    return new SessionOptions(device, threads, concurrentRuns, shapes, bytes, kernels, precision);
  }

  public SessionOptions withKernels(String name) {
    return new SessionOptions(
        device, threads, concurrentRuns, shapes, activationBytes, name, precision);
  }

  public SessionOptions withPrecision(Precision level) {
    return new SessionOptions(
        device, threads, concurrentRuns, shapes, activationBytes, kernels, level);
  }

  private static void check(String option, long value, long least, long most) {
    if (value < least || value > most) {
      throw new InputException(
          "option " + option + " is " + value, "choose a number from " + least + " to " + most);
    }
  }
}
