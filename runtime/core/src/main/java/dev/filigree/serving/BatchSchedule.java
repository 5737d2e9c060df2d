package dev.filigree.serving;

import dev.filigree.RejectedException;
import dev.filigree.RejectedException.Kind;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Which requests run together, and when. Threads that run batches are leaders; there are none while
 * nothing waits, and so many at most. One of them waits for more requests at a time, and only while
 * as many as last time are likely to come: the others leave what is there to it. Thread-safe.
 */
final class BatchSchedule {
  private final String model;
  private final BatchOptions options;

  /** Runs that may go on at a time. */
  private final int mostLeaders;

  private final Runnable anotherLeader;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final BatchQueue queue;
  private final Recorder batchRows = new Recorder();
  private int leaders;
  private boolean closed;

  /** Rows that a leader waits for; 0 while none waits. */
  private long awaitedRows;

  /** Rows that run. */
  private long rowsRunning;

  /** Rows that ran and waited when the last batch was taken: as many are likely to come. */
  private long rowsInPlay;

  private long requests;
  private long batches;
  private long rejected;
  private long abandoned;
  private long failed;

  /**
   * Nothing waits yet.
   *
   * @param model its name, for messages
   * @param mostLeaders runs that may go on at a time
   * @param anotherLeader starts a thread that leads until {@link #next} has nothing for it
   */
  BatchSchedule(String model, BatchOptions options, int mostLeaders, Runnable anotherLeader) {
    this.model = model;
    this.options = options;
    this.mostLeaders = mostLeaders;
    this.anotherLeader = anotherLeader;
    this.queue = new BatchQueue(options);
  }

  /**
   * Puts a request into the queue.
   *
   * @return whether the caller is to lead: to see to it that the queue is run
   * @throws RejectedException if there is no room, or all is closed
   */
  boolean add(BatchRequest request) {
    lock.lock();
    try {
      if (closed) {
        rejected++;
        throw new RejectedException(
            Kind.CLOSED, "the batcher of " + model + " was closed", "open a new one");
      }
      if (queue.isFullFor(request)) {
        abandoned += queue.removeAbandoned();
      }
      if (queue.isFullFor(request)) {
        rejected++;
        throw full();
      }
      queue.add(request);
      if (awaitedRows > 0 && queue.rows() >= awaitedRows) {
        changed.signalAll();
      }
      // who waits for more takes this one too
      boolean leads = leaders == 0 || leaders < mostLeaders && awaitedRows == 0;
      if (leads) {
        leaders++;
      }
      return leads;
    } finally {
      lock.unlock();
    }
  }

  private RejectedException full() {
    return new RejectedException(
        Kind.FULL,
        queue.size() + " requests to " + model + " with " + queue.bytes() + " bytes wait already",
        "try again later, or allow a longer queue (maxQueue, maxQueueBytes)");
  }

  /** Ends this leadership; another thread takes over if requests wait. */
  void handOver() {
    lock.lock();
    try {
      if (queue.size() == 0) {
        retire();
      } else {
        anotherLeader.run();
      }
    } finally {
      lock.unlock();
    }
  }

  private void retire() {
    leaders--;
    changed.signalAll();
  }

  /**
   * The oldest request and those that fit it, its share of all; or none, which ends the leadership.
   */
  List<BatchRequest> next() {
    lock.lock();
    try {
      while (true) {
        abandoned += queue.removeAbandoned();
        BatchRequest oldest = queue.oldest();
        if (oldest == null) {
          retire();
          return List.of();
        }
        long wanted = Math.min(options.maxBatch(), Math.ceilDiv(rowsInPlay, mostLeaders));
        long left = options.maxDelay().toNanos() - (System.nanoTime() - oldest.arrived());
        if (left <= 0 || closed || queue.rows() >= wanted) {
          return take();
        }
        if (awaitedRows > 0) {
          // another one waits for what comes and will take what is there
          retire();
          return List.of();
        }
        await(wanted, left);
      }
    } finally {
      lock.unlock();
    }
  }

  private void await(long rows, long nanos) {
    awaitedRows = rows;
    try {
      changed.awaitNanos(nanos);
    } catch (InterruptedException interrupt) {
      // the interrupt is the caller's to see once its request is done; the batch is taken as it is
      Thread.currentThread().interrupt();
      rowsInPlay = 0;
    } finally {
      awaitedRows = 0;
    }
  }

  private List<BatchRequest> take() {
    long waiting = queue.rows();
    rowsInPlay = rowsRunning + waiting;
    List<BatchRequest> batch = queue.take(Math.ceilDiv(rowsInPlay, mostLeaders));
    requests += batch.size();
    batches++;
    long rows = waiting - queue.rows();
    rowsRunning += rows;
    batchRows.record(rows);
    if (queue.size() > 0 && leaders < mostLeaders) {
      leaders++;
      anotherLeader.run();
    }
    return batch;
  }

  /**
   * Notes that a batch has run, before its callers hear of it: they may be back at once, and their
   * rows do not run any more.
   */
  void end(List<BatchRequest> batch) {
    lock.lock();
    try {
      rowsRunning -= rows(batch);
    } finally {
      lock.unlock();
    }
  }

  /** Rows of a batch. */
  static long rows(List<BatchRequest> batch) {
    long rows = 0;
    for (BatchRequest request : batch) {
      rows += request.rows();
    }
    return rows;
  }

  /** Notes that a batch has failed, before its callers hear of it. */
  void fail(List<BatchRequest> batch) {
    lock.lock();
    try {
      rowsRunning -= rows(batch);
      failed += batch.size();
    } finally {
      lock.unlock();
    }
  }

  /** Counts a request that was refused before it waited. */
  void countRejected() {
    lock.lock();
    try {
      rejected++;
    } finally {
      lock.unlock();
    }
  }

  /** What has been done so far, with how long requests took and waited. */
  BatchStatistics statistics(Distribution latencies, Distribution waits) {
    lock.lock();
    try {
      return new BatchStatistics(
          requests,
          batches,
          rejected,
          abandoned,
          failed,
          queue.size(),
          latencies,
          waits,
          batchRows.distribution());
    } finally {
      lock.unlock();
    }
  }

  /** Refuses new requests and returns when all that wait have run. May be called again. */
  void close() {
    boolean interrupted = false;
    lock.lock();
    try {
      closed = true;
      changed.signalAll();
      while (leaders > 0) {
        try {
          changed.await();
        } catch (InterruptedException interrupt) {
          interrupted = true;
        }
      }
    } finally {
      lock.unlock();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
