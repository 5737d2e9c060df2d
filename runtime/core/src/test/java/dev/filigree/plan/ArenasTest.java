package dev.filigree.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ArenasTest {
  private static final int STEPS = 30;

  @Seeded(300)
  void buffersNeededAtTheSameTimeDoNotOverlap(Samples samples) {
    List<int[]> lives = new ArrayList<>();
    List<Buffer> buffers = new ArrayList<>();
    for (int i = samples.between(0, 60); i > 0; i--) {
      int first = samples.between(0, STEPS - 1);
      int last = samples.between(first, Math.min(STEPS - 1, first + samples.between(0, 9)));
      Buffer buffer = new Buffer(samples.between(0, 1000), first);
      if (samples.chance(0.05)) {
        buffer.needFromStart();
        first = -1;
      }
      buffer.needUntil(last);
      lives.add(new int[] {first, last});
      buffers.add(buffer);
    }

    long end = Arenas.place(buffers);

    long all = 0;
    for (int i = 0; i < buffers.size(); i++) {
      Buffer a = buffers.get(i);
      all += Arenas.aligned(a.bytes());
      assertEquals(0, a.offset() % Arenas.ALIGNMENT);
      assertTrue(a.offset() >= 0 && a.offset() + a.bytes() <= end);
      for (int j = 0; j < i; j++) {
        Buffer b = buffers.get(j);
        boolean together = lives.get(i)[0] <= lives.get(j)[1] && lives.get(j)[0] <= lives.get(i)[1];
        boolean apart =
            a.offset() + a.bytes() <= b.offset() || b.offset() + b.bytes() <= a.offset();
        assertTrue(
            !together || apart || a.bytes() == 0 || b.bytes() == 0, "buffers " + i + ", " + j);
      }
    }
    assertTrue(end <= all, end + " bytes for buffers of " + all);
    assertTrue(end >= mostAtOnce(buffers, lives), "less than is needed at one step");
  }

  private static long mostAtOnce(List<Buffer> buffers, List<int[]> lives) {
    long most = 0;
    for (int step = -1; step < STEPS; step++) {
      long live = 0;
      for (int i = 0; i < buffers.size(); i++) {
        boolean needed = lives.get(i)[0] <= step && step <= lives.get(i)[1];
        live += needed ? buffers.get(i).bytes() : 0;
      }
      most = Math.max(most, live);
    }
    return most;
  }

  @Test
  void aChainOfStepsTakesTurnsInTheMemoryOfTwo() {
    List<Buffer> chain = new ArrayList<>();
    for (int step = 0; step < 10; step++) {
      Buffer buffer = new Buffer(640, step);
      buffer.needUntil(step + 1);
      chain.add(buffer);
    }
    assertEquals(2 * 640, Arenas.place(chain));
  }
}
