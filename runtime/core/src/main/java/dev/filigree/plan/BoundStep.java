package dev.filigree.plan;

/** A step bound to the memory of one workspace. Allocates nothing when it runs. */
@FunctionalInterface
interface BoundStep {
  void run(WorkerPool pool);
}
