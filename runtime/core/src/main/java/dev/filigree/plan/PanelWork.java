package dev.filigree.plan;

/**
 * A bound step that computes every panel from the same panel of what it reads, so that some panels
 * may go through several such steps before the next ones begin; see {@link PanelChain}.
 */
interface PanelWork extends BoundStep {
  /**
   * Computes some panels on the calling thread.
   *
   * @param from first panel, a multiple of {@link PanelChain#GRAIN}
   * @param to panel after the last
   * @param worker which thread's scratch to use
   */
  void run(int from, int to, int worker);

  /** A step that does the same for each of some panels. */
  static PanelWork each(int count, WorkerPool.Body body) {
    return new PanelWork() {
      @Override
      public void run(WorkerPool pool) {
        pool.forEach(count, body);
      }

      @Override
      public void run(int from, int to, int worker) {
        for (int panel = from; panel < to; panel++) {
          body.run(panel, worker);
        }
      }
    };
  }
}
