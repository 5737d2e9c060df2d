package dev.filigree.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
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

  @Test
  void buffersThatGrewOnceGrowOnWithoutBeingMoved() {
    Placement placement = new Placement(Long.MAX_VALUE);
    placement.place(buffers(100, 10_000, 100));
    List<Buffer> grown = buffers(100, 10_100, 100);
    long end = placement.place(grown);
    for (int bytes = 10_200; bytes < 12_500; bytes += 100) {
      List<Buffer> next = buffers(100, bytes, 100);
      assertEquals(end, placement.place(next));
      assertEquals(offsets(grown), offsets(next));
      assertApart(next);
    }
    List<Buffer> beyond = buffers(100, 20_000, 100);
    placement.place(beyond);
    assertApart(beyond);
  }

  @Test
  void buffersThatGrewMuchGetNoMoreThanTheyNeed() {
    Placement placement = new Placement(Long.MAX_VALUE);
    placement.place(buffers(6_400, 6_400));
    assertEquals(2 * 7_040, placement.place(buffers(7_040, 7_040)));
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
    Placement placement = new Placement(21_000);
    placement.place(buffers(9_900, 9_900));
    assertEquals(Arenas.place(buffers(10_000, 10_000)), placement.place(buffers(10_000, 10_000)));
  }
}
