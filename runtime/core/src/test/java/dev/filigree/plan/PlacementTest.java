package dev.filigree.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PlacementTest {
  /** Three buffers of which the first two are needed at the same time. */
  private static List<Buffer> buffers(long... bytes) {
    List<Buffer> buffers = new ArrayList<>();
    for (int i = 0; i < bytes.length; i++) {
      Buffer buffer = new Buffer(bytes[i], i);
      buffer.needUntil(i + 1);
      buffers.add(buffer);
    }
    return buffers;
  }

  private static List<Long> offsets(List<Buffer> buffers) {
    return buffers.stream().map(Buffer::offset).toList();
  }

  private static void assertApart(List<Buffer> buffers) {
    for (int i = 1; i < buffers.size(); i++) {
      Buffer a = buffers.get(i - 1);
      Buffer b = buffers.get(i);
      assertTrue(
          a.offset() + a.bytes() <= b.offset() || b.offset() + b.bytes() <= a.offset(),
          offsets(buffers) + " of " + a.bytes() + ", " + b.bytes());
    }
  }

  @Test
  void theFirstPlanTakesNoMoreThanItNeeds() {
    List<Buffer> buffers = buffers(100, 1000, 100);
    long exact = Arenas.place(buffers(100, 1000, 100));

    assertEquals(exact, new Placement(Long.MAX_VALUE).place(buffers));
    assertApart(buffers);
  }

  /** A placement that has placed buffers of growing sizes. */
  private static Placement placed(long limit, long... bytes) {
    Placement placement = new Placement(limit);
    for (long each : bytes) {
      placement.place(buffers(100, each, 100));
    }
    return placement;
  }

  @Test
  void buffersThatGrowAgainAndAgainGrowOnWithoutBeingMoved() {
    Placement placement = placed(Long.MAX_VALUE, 10_000, 10_100, 10_200);
    List<Buffer> grown = buffers(100, 10_300, 100);
    long end = placement.place(grown);
    for (int bytes = 10_400; bytes < 12_500; bytes += 100) {
      List<Buffer> next = buffers(100, bytes, 100);
      assertTrue(placement.keeps(next));
      assertEquals(end, placement.place(next));
      assertEquals(offsets(grown), offsets(next));
      assertApart(next);
    }
    List<Buffer> beyond = buffers(100, 30_000, 100);
    assertFalse(placement.keeps(beyond));
    placement.place(beyond);
    assertApart(beyond);
  }

  @Test
  void aBufferThatLiesElsewhereIsNotMoved() {
    Placement placement = placed(Long.MAX_VALUE, 1000);
    List<Buffer> next = buffers(100, 1000, 100);
    next.getFirst().placeAt(1 << 20);
    assertFalse(placement.keeps(next));
  }

  @Test
  void buffersThatGrowMuchGetNoMoreThanTheyNeed() {
    Placement placement = placed(Long.MAX_VALUE, 1000, 2000, 4000, 8000);
    long exact = Arenas.place(buffers(100, 16_000, 100));
    assertEquals(exact, placement.place(buffers(100, 16_000, 100)));
  }

  @Test
  void othersThanBeforeArePlacedAnew() {
    Placement placement = new Placement(Long.MAX_VALUE);
    placement.place(buffers(64, 64));
    List<Buffer> longer = buffers(64, 64);
    longer.forEach(buffer -> buffer.needUntil(9));
    longer.add(new Buffer(64, 5));
    assertEquals(3 * 64, placement.place(longer));
  }

  @Test
  void roomThatIsNoLongerNeededIsGivenUp() {
    Placement placement = new Placement(Long.MAX_VALUE);
    placement.place(buffers(1 << 20, 1 << 20));
    assertEquals(128, placement.place(buffers(64, 64)));
  }

  @Test
  void noRoomToGrowIsGivenBeyondTheLimit() {
    Placement placement = placed(12_000, 10_000, 10_100, 10_200);
    long exact = Arenas.place(buffers(100, 10_300, 100));
    assertEquals(exact, placement.place(buffers(100, 10_300, 100)));
  }
}
