package dev.filigree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceTest {
  @Test
  void everyDeviceIsNamedByTheTextItPrints() {
    assertEquals(Device.auto(), Device.parse("auto"));
    assertEquals(Device.cpu(), Device.parse("cpu"));
    assertEquals(new Device(Device.Kind.CUDA, 0), Device.parse("cuda"));
    for (String text : new String[] {"auto", "cpu", "cuda:0", "cuda:13", "simulated"}) {
      assertEquals(text, Device.parse(text).toString());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "gpu", "CPU", "cpu:0", "cuda:", "cuda:-1", "cuda:x", "cuda:99999"})
  void anyOtherTextIsRefusedWithTheChoices(String text) {
    InputException refusal = assertThrows(InputException.class, () -> Device.parse(text));
    assertEquals("'" + text + "' is no device", refusal.problem());
    assertEquals("use auto, cpu, cuda, cuda:N or simulated", refusal.remedy());
  }

  @Test
  void devicesAreCountedFromZero() {
    assertThrows(InputException.class, () -> new Device(Device.Kind.CUDA, -1));
  }
}
