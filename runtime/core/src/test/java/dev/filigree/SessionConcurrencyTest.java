package dev.filigree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.testing.Floats;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SessionConcurrencyTest {
  private static final SessionOptions SCALAR =
      SessionOptions.defaults().withKernels("scalar").withThreads(2);

  @TempDir private Path folder;
  private Model model;

  @BeforeEach
  void open() {
    Tensor w = Tensor.of(new Samples(1).normal(8 * 12), 8, 12);
    Tensor v = Tensor.of(new Samples(2).normal(8 * 12), 8, 12);
    model = Model.open(SessionTest.twoLayers(folder, w, v));
  }

  @AfterEach
  void close() {
    model.close();
  }

  /** A place for the output {@code sum} that says when a run in progress asks for it. */
  private static final class Watched extends AbstractMap<String, Tensor> {
    private final Tensor sum;
    private final Runnable asked;

    Watched(Tensor sum, Runnable asked) {
      this.sum = sum;
      this.asked = asked;
    }

    @Override
    public Tensor get(Object name) {
      asked.run();
      return name.equals("sum") ? sum : null;
    }

    @Override
    public boolean containsKey(Object name) {
      return name.equals("sum");
    }

    @Override
    public Set<Entry<String, Tensor>> entrySet() {
      return Set.of(Map.entry("sum", sum));
    }
  }

  private static Tensor sumOf(int batch, int length) {
    return Tensor.zeros(DType.F32, Shape.of(batch, length, 12));
  }

  @Test
  void runsOfManyThreadsGiveWhatOneThreadGivesBitForBit() throws Exception {
    List<Map<String, Tensor>> inputs = new ArrayList<>();
    List<float[]> expected = new ArrayList<>();
    try (Session alone = model.session(SCALAR.withThreads(1))) {
      for (int i = 0; i < 12; i++) {
        inputs.add(SessionTest.inputs(1 + i % 3, 5 + 7 * (i % 4), i));
        expected.add(alone.run(inputs.get(i)).get("sum").toFloats());
      }
    }
    // fewer plans than shapes, so that plans come and go under the runs
    try (Session session = model.session(SCALAR.withConcurrentRuns(3).withShapes(4))) {
      together(
          12,
          thread -> {
            for (int round = 0; round < 40; round++) {
              int i = (thread + round) % inputs.size();
              float[] actual = session.run(inputs.get(i)).get("sum").toFloats();
              Floats.assertSameBits(expected.get(i), actual);
            }
          });
    }
  }

  @Test
  void noMoreRunsGoOnAtTheSameTimeThanAllowed() throws Exception {
    for (int allowed : new int[] {1, 3}) {
      AtomicInteger running = new AtomicInteger();
      AtomicInteger most = new AtomicInteger();
      try (Session session = model.session(SCALAR.withConcurrentRuns(allowed))) {
        together(
            8,
            thread -> {
              for (int round = 0; round < 5; round++) {
                Runnable watch =
                    () -> {
                      most.accumulateAndGet(running.incrementAndGet(), Math::max);
                      sleep(1);
                      running.decrementAndGet();
                    };
                session.run(SessionTest.inputs(1, 4, thread), new Watched(sumOf(1, 4), watch));
              }
            });
        long one;
        try (Session single = model.session(SCALAR.withConcurrentRuns(1))) {
          single.run(SessionTest.inputs(1, 4, 0));
          one = single.idleBytes();
        }
        assertEquals(allowed, most.get());
        assertTrue(session.idleBytes() <= allowed * one, session.idleBytes() + " of " + one);
      }
    }
  }

  @Test
  void closingWaitsForTheRunsThatGoOn() throws Exception {
    Session session = model.session(SCALAR.withConcurrentRuns(1));
    Map<String, Tensor> inputs = SessionTest.inputs(2, 5, 3);
    float[] expected = session.run(inputs).get("sum").toFloats();
    CountDownLatch started = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    Tensor sum = sumOf(2, 5);
    Watched held =
        new Watched(
            sum,
            () -> {
              started.countDown();
              await(goOn);
            });
    Thread running = Thread.ofPlatform().start(() -> session.run(inputs, held));
    started.await();
    Thread closing = Thread.ofPlatform().start(session::close);
    awaitWaiting(closing);
    // this one waits for its turn and then finds the session closed
    AtomicReference<Throwable> late = new AtomicReference<>();
    Thread waiting =
        Thread.ofPlatform()
            .start(
                () ->
                    late.set(assertThrows(IllegalStateException.class, () -> session.run(inputs))));
    awaitWaiting(waiting);
    closing.interrupt();
    awaitWaiting(closing);
    assertTrue(running.isAlive() && closing.isAlive());
    goOn.countDown();
    running.join();
    closing.join();
    waiting.join();
    Floats.assertSameBits(expected, sum.toFloats());
    assertEquals("session 'two-layers' was closed", late.get().getMessage());
  }

  @Test
  void twoSessionsOfOneModelRunSideBySide() throws Exception {
    Map<String, Tensor> inputs = SessionTest.inputs(3, 11, 4);
    try (Session first = model.session(SCALAR);
        Session second = model.session(SCALAR.withThreads(1))) {
      float[] expected = first.run(inputs).get("sum").toFloats();
      together(
          4,
          thread -> {
            Session own = thread % 2 == 0 ? first : second;
            for (int round = 0; round < 50; round++) {
              Floats.assertSameBits(expected, own.run(inputs).get("sum").toFloats());
            }
          });
    }
  }

  /** Runs a body in threads, platform and virtual ones in turns; what one throws is thrown. */
  private static void together(int count, Consumer<Integer> body) throws InterruptedException {
    AtomicReference<Throwable> failure = new AtomicReference<>();
    List<Thread> threads = new ArrayList<>();
    for (int t = 0; t < count; t++) {
      int thread = t;
      Thread.Builder builder = t % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual();
      threads.add(
          builder.start(
              () -> {
                try {
                  body.accept(thread);
                } catch (Throwable thrown) {
                  failure.compareAndSet(null, thrown);
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertNull(failure.get(), () -> "a thread failed: " + failure.get());
  }

  private static void awaitWaiting(Thread thread) throws InterruptedException {
    while (thread.getState() != Thread.State.WAITING) {
      assertTrue(thread.isAlive(), "ended before it should");
      Thread.sleep(1);
    }
  }

  private static void sleep(int millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException interrupted) {
      throw new AssertionError(interrupted);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException interrupted) {
      throw new AssertionError(interrupted);
    }
  }
}
