package dev.filigree;

/** Hears how far long work has come. Called from the thread that works; must not block. */
@FunctionalInterface
public interface Progress {
  /** Hears nothing. */
  Progress NONE = (task, done, total) -> {};

  /**
   * Work went on.
   *
   * @param task what is being done, for people
   * @param done units done
   * @param total units in all
   */
  void at(String task, long done, long total);
}
