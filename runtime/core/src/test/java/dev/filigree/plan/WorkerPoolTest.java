package dev.filigree.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkerPoolTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 8})
  void everyItemIsDoneOnceByAWorkerOfThePool(int size) {
    try (WorkerPool pool = new WorkerPool(size, "test")) {
      assertEquals(size, pool.size());
      for (int job = 0; job < 2_000; job++) {
        int count = job % 17;
        AtomicIntegerArray done = new AtomicIntegerArray(count);
        pool.forEach(
            count,
            (item, worker) -> {
              assertTrue(worker >= 0 && worker < size);
              done.incrementAndGet(item);
            });
        for (int item = 0; item < count; item++) {
          assertEquals(1, done.get(item), "item " + item + " of job " + job);
        }
      }
    }
  }

  @Test
  void twoThreadsNeverHaveTheSameWorkerInOneJob() {
    try (WorkerPool pool = new WorkerPool(3, "test")) {
      for (int job = 0; job < 300; job++) {
        Thread[] byWorker = new Thread[3];
        pool.forEach(
            12,
            (item, worker) -> {
              synchronized (byWorker) {
                if (byWorker[worker] == null) {
                  byWorker[worker] = Thread.currentThread();
                }
                assertSame(byWorker[worker], Thread.currentThread());
              }
            });
      }
    }
  }

  @Test
  void anItemThatDividesWorkFurtherDoesItItself() {
    try (WorkerPool pool = new WorkerPool(3, "test")) {
      for (int job = 0; job < 300; job++) {
        AtomicInteger done = new AtomicInteger();
        pool.forEach(
            6,
            (outer, worker) -> {
              Thread own = Thread.currentThread();
              pool.forEach(
                  5,
                  (inner, same) -> {
                    assertSame(own, Thread.currentThread());
                    done.incrementAndGet();
                  });
            });
        assertEquals(30, done.get());
      }
    }
  }

  @Test
  void callersThatComeTogetherAllGetTheirWorkDone() throws InterruptedException {
    try (WorkerPool pool = new WorkerPool(2, "test")) {
      AtomicInteger done = new AtomicInteger();
      List<Thread> callers = new ArrayList<>();
      for (int c = 0; c < 8; c++) {
        Thread.Builder builder = c % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual();
        callers.add(
            builder.start(
                () -> {
                  for (int job = 0; job < 200; job++) {
                    AtomicInteger own = new AtomicInteger();
                    pool.forEach(5, (item, worker) -> own.addAndGet(item + 1));
                    done.addAndGet(own.get());
                  }
                }));
      }
      for (Thread caller : callers) {
        caller.join();
      }
      assertEquals(8 * 200 * 15, done.get());
    }
  }

  @Test
  void asManyRunsAsThreadsEachWorkAloneUntilOneEnds() {
    try (WorkerPool pool = new WorkerPool(2, "test")) {
      pool.begin();
      pool.begin();
      for (int job = 0; job < 200; job++) {
        pool.forEach(
            8,
            (item, worker) -> {
              assertEquals(0, worker);
              assertFalse(Thread.currentThread().getName().contains("-worker-"));
            });
      }
      pool.end();
      AtomicInteger byOthers = new AtomicInteger();
      // the other thread takes an item sooner or later, since each lasts
      for (int job = 0; job < 1000 && byOthers.get() == 0; job++) {
        pool.forEach(
            8,
            (item, worker) -> {
              byOthers.addAndGet(worker);
              LockSupport.parkNanos(1_000_000);
            });
      }
      assertTrue(byOthers.get() > 0);
      pool.end();
    }
  }

  @Test
  void whatAnItemThrowsReachesTheCallerAndThePoolGoesOn() {
    try (WorkerPool pool = new WorkerPool(2, "test")) {
      for (int failing = 0; failing < 6; failing++) {
        int bad = failing;
        IllegalStateException thrown =
            assertThrows(
                IllegalStateException.class,
                () ->
                    pool.forEach(
                        6,
                        (item, worker) -> {
                          if (item == bad) {
                            throw new IllegalStateException("item " + item);
                          }
                        }));
        assertEquals("item " + bad, thrown.getMessage());
        AtomicInteger done = new AtomicInteger();
        pool.forEach(6, (item, worker) -> done.incrementAndGet());
        assertEquals(6, done.get());
      }
    }
  }

  @Test
  void anInterruptedCallerFinishesAndStaysInterrupted() {
    try (WorkerPool pool = new WorkerPool(2, "test")) {
      Thread.currentThread().interrupt();
      AtomicInteger done = new AtomicInteger();
      pool.forEach(100, (item, worker) -> done.incrementAndGet());
      assertEquals(100, done.get());
      assertTrue(Thread.interrupted());
    }
  }

  @Test
  void closingEndsTheThreads() {
    AtomicReference<Thread> second = new AtomicReference<>();
    CountDownLatch seen = new CountDownLatch(1);
    WorkerPool pool = new WorkerPool(2, "closing-test");
    pool.forEach(
        8,
        (item, worker) -> {
          if (worker == 1) {
            second.set(Thread.currentThread());
            seen.countDown();
          } else {
            // however late the second thread comes to a processor, there are items left for it
            await(seen);
          }
        });
    pool.close();
    pool.close();
    assertEquals("closing-test-worker-1", second.get().getName());
    assertFalse(second.get().isAlive());
  }

  private static void await(CountDownLatch latch) {
    try {
      assertTrue(latch.await(60, TimeUnit.SECONDS), "the second thread never worked");
    } catch (InterruptedException interrupt) {
      throw new IllegalStateException(interrupt);
    }
  }
}
