package dev.filigree.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class CallersTest {
  private static List<Integer> numbers(int count) {
    return IntStream.range(0, count).boxed().toList();
  }

  @ParameterizedTest
  @CsvSource({"0,4", "1,4", "7,1", "7,2", "100,3", "2,16"})
  void everyItemIsDoneOnce(int items, int callers) {
    AtomicIntegerArray done = new AtomicIntegerArray(items);
    Set<Thread> threads = ConcurrentHashMap.newKeySet();
    Callers.each(
        numbers(items),
        callers,
        item -> {
          done.incrementAndGet(item);
          threads.add(Thread.currentThread());
        });
    for (int i = 0; i < items; i++) {
      assertEquals(1, done.get(i));
    }
    assertTrue(threads.size() <= callers, threads.toString());
  }

  @Test
  void itemsAreDoneAtTheSameTime() {
    // ends only if all three are in it together
    CyclicBarrier together = new CyclicBarrier(3);
    AtomicInteger passed = new AtomicInteger();
    Callers.each(
        numbers(3),
        3,
        item -> {
          try {
            together.await();
          } catch (Exception broken) {
            throw new IllegalStateException(broken);
          }
          passed.incrementAndGet();
        });
    assertEquals(3, passed.get());
  }

  @ParameterizedTest
  @CsvSource({"0,1", "0,3", "5,3", "99,3"})
  void whatAnItemThrowsIsThrownAndTheRestIsLeft(int bad, int callers) {
    IllegalStateException thrown = new IllegalStateException("bad");
    AtomicInteger begun = new AtomicInteger();
    assertSame(
        thrown,
        assertThrows(
            IllegalStateException.class,
            () ->
                Callers.each(
                    numbers(100),
                    callers,
                    item -> {
                      begun.incrementAndGet();
                      if (item == bad) {
                        throw thrown;
                      }
                    })));
    assertTrue(begun.get() > bad, begun.toString());
    assertTrue(begun.get() <= 100);
  }
}
