package dev.filigree.plan;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The threads of a session. The caller of {@link #forEach} works too, so a pool of one has no
 * thread of its own. The pool serves one caller at a time; another one that comes meanwhile does
 * its work alone instead of waiting, which under load keeps every core busy without switching.
 * Nothing is allocated per call.
 */
public final class WorkerPool implements AutoCloseable {
  /** Work that is divided in items. */
  @FunctionalInterface
  public interface Body {
    /**
     * Does one item.
     *
     * @param item from 0 on, in any order
     * @param worker which thread's scratch to use, less than {@link WorkerPool#size()}
     */
    void run(int item, int worker);
  }

  /**
   * Rounds of looking for work before a thread parks: some microseconds, the gap between two steps
   * of a plan.
   */
  private static final int SPINS = 2_000;

  /** Numbers of jobs start again at 0 after this many. */
  private static final long JOBS = 1L << Integer.SIZE;

  private final Thread[] threads;
  private final ReentrantLock owner = new ReentrantLock();

  /**
   * Number of the job in the upper half, next item in the lower. A thread claims an item by raising
   * the lower half of the number it saw, so one that comes late can never take an item of a job it
   * does not know.
   */
  private final AtomicLong ticket = new AtomicLong();

  private final AtomicInteger done = new AtomicInteger();

  /** Runs that were begun and have not ended. */
  private final AtomicInteger runs = new AtomicInteger();

  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private volatile Body body;
  private volatile int items;
  private volatile Thread caller;
  private volatile boolean closed;

  /**
   * Starts a pool.
   *
   * @param size threads that work, the caller included
   * @param name prefix of the threads' names
   */
  public WorkerPool(int size, String name) {
    threads = new Thread[size - 1];
    for (int i = 0; i < threads.length; i++) {
      int worker = i + 1;
      threads[i] =
          Thread.ofPlatform()
              .daemon()
              .name(name + "-worker-" + worker)
              .unstarted(() -> serve(worker));
    }
    for (Thread thread : threads) {
      thread.start();
    }
  }

  /** Threads that work, the caller included. */
  public int size() {
    return threads.length + 1;
  }

  /** Notes that a run begins, which is many calls of {@link #forEach} by one thread. */
  public void begin() {
    runs.incrementAndGet();
  }

  /** Notes that it has ended. */
  public void end() {
    runs.decrementAndGet();
  }

  /**
   * Does every item and returns when all are done. What an item throws is thrown here, once the
   * others have ended. Items that call it again do that work on their own thread.
   *
   * @param count number of items
   */
  public void forEach(int count, Body work) {
    if (count <= 1 || runs.get() >= size() || threads.length == 0 || !takesThreads()) {
      for (int item = 0; item < count; item++) {
        work.run(item, 0);
      }
      return;
    }
    try {
      long previous = ticket.get() >>> 32;
      // no item can be claimed while the fields change
      ticket.set(previous + 1 << 32 | Integer.MAX_VALUE);
      body = work;
      items = count;
      done.set(0);
      failure.set(null);
      caller = Thread.currentThread();
      long job = (previous + 2) % JOBS;
      ticket.set(job << 32);
      for (int i = 0; i < Math.min(threads.length, count - 1); i++) {
        LockSupport.unpark(threads[i]);
      }
      work(job, 0);
      for (int spins = 0; done.get() < count; spins++) {
        if (spins < SPINS) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
        }
      }
      body = null;
      rethrow(failure.get());
    } finally {
      owner.unlock();
    }
  }

  /** Takes the threads, if they are free; an item that asks for them has them already. */
  private boolean takesThreads() {
    return !owner.isHeldByCurrentThread() && owner.tryLock();
  }

  private static void rethrow(Throwable thrown) {
    switch (thrown) {
      case null -> {}
      case RuntimeException exception -> throw exception;
      case Error error -> throw error;
      default -> throw new IllegalStateException(thrown);
    }
  }

  private void serve(int worker) {
    long seen = 0;
    int spins = 0;
    while (!closed) {
      long job = ticket.get() >>> 32;
      if (job != seen) {
        seen = job;
        spins = 0;
        work(job, worker);
      } else if (spins++ < SPINS) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
      }
    }
  }

  /** Does items of a job until none is left. */
  private void work(long job, int worker) {
    while (true) {
      long seen = ticket.get();
      Body work = body;
      int count = items;
      int item = (int) seen;
      if (seen >>> 32 != job || item >= count) {
        return;
      }
      // succeeds only while the job lasts, so that what was read above belongs to it
      if (ticket.compareAndSet(seen, seen + 1)) {
        try {
          if (failure.get() == null) {
            work.run(item, worker);
          }
        } catch (Throwable thrown) {
          failure.compareAndSet(null, thrown);
        }
        if (done.incrementAndGet() == count) {
          LockSupport.unpark(caller);
        }
      }
    }
  }

  /** Ends the threads; no call may be running. */
  @Override
  public void close() {
    closed = true;
    for (Thread thread : threads) {
      LockSupport.unpark(thread);
    }
    boolean interrupted = false;
    for (Thread thread : threads) {
      while (thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException interrupt) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
