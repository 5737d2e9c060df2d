package dev.filigree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class SessionOptionsTest {
  private final SessionOptions options = SessionOptions.defaults();

  @Test
  void theDefaultsUseAllProcessors() {
    int processors = Runtime.getRuntime().availableProcessors();
    assertEquals(
        new SessionOptions(
            Device.auto(), processors, processors, 16, 8L << 30, "", Precision.EXACT),
        options);
  }

  @Test
  void everyMethodChangesItsOwnOption() {
    SessionOptions changed =
        options
            .withDevice(Device.cpu())
            .withThreads(3)
            .withConcurrentRuns(5)
            .withShapes(7)
            .withActivationBytes(1 << 20)
            .withKernels("scalar")
            .withPrecision(Precision.BF16);
    assertEquals(
        new SessionOptions(Device.cpu(), 3, 5, 7, 1 << 20, "scalar", Precision.BF16), changed);
  }

  @Test
  void aValueOutOfRangeIsRefusedWithTheRange() {
    InputException none = assertThrows(InputException.class, () -> options.withThreads(0));
    assertEquals("option threads is 0; choose a number from 1 to 1024", none.getMessage());
    assertThrows(InputException.class, () -> options.withThreads(1025));
    assertThrows(InputException.class, () -> options.withConcurrentRuns(0));
    assertThrows(InputException.class, () -> options.withShapes(-1));
    assertThrows(InputException.class, () -> options.withActivationBytes(100));
  }
}
