package dev.filigree.text;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** Does work on the items of a list with a few threads, the calling one among them. */
final class Callers {
  private Callers() {}

  /**
   * Does every item, in their order as threads come free, and returns when all are done. What an
   * item throws is thrown here; items that had not begun by then are left out.
   *
   * @param callers threads at most
   */
  static <T> void each(List<T> items, int callers, Consumer<T> work) {
    int helpers = Math.min(callers, items.size()) - 1;
    if (helpers <= 0) {
      items.forEach(work);
      return;
    }
    AtomicInteger next = new AtomicInteger();
    Runnable some =
        () -> {
          for (int i = next.getAndIncrement(); i < items.size(); i = next.getAndIncrement()) {
            try {
              work.accept(items.get(i));
            } catch (RuntimeException | Error failed) {
              next.set(items.size());
              throw failed;
            }
          }
        };
    // closing it waits for the helpers, also when this thread's own work failed
    try (ExecutorService threads =
        Executors.newFixedThreadPool(
            helpers, Thread.ofPlatform().name("filigree-text-", 1).daemon().factory())) {
      List<Future<?>> others = new ArrayList<>();
      for (int i = 0; i < helpers; i++) {
        others.add(threads.submit(some));
      }
      some.run();
      for (Future<?> other : others) {
        await(other);
      }
    }
  }

  /** Begins a piece of work in a thread of its own, which ends with it. */
  static <T> Future<T> beside(Callable<T> work) {
    FutureTask<T> task = new FutureTask<>(work);
    Thread.ofPlatform().name("filigree-text").daemon().start(task);
    return task;
  }

  /**
   * Waits for other work to end, through interruptions, which are kept: what it uses must not be
   * closed before. What it throws is thrown here.
   */
  static <T> T await(Future<T> other) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return other.get();
        } catch (InterruptedException interrupt) {
          interrupted = true;
        }
      }
    } catch (ExecutionException failed) {
      switch (failed.getCause()) {
        case RuntimeException exception -> throw exception;
        case Error error -> throw error;
        default -> throw new IllegalStateException(failed.getCause());
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
