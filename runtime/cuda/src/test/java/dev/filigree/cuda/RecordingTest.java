package dev.filigree.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.simgpu.SimulatedGpu;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the flight recorder hears of a session on the device. */
@SimulatedGpu
class RecordingTest {
  @TempDir private Path folder;

  @Test
  void plansLayoutsChoicesAndWhatFallsBackAreRecorded() throws IOException {
    Path saved = folder.resolve("recording.jfr");
    try (Recording recording = new Recording()) {
      for (String event : List.of("Plan", "Pack", "KernelChoice", "Fallback")) {
        recording.enable("dev.filigree." + event).withoutThreshold();
      }
      recording.start();
      try (Model model = SmallModel.open(folder);
          Session device = model.session(SessionOptions.defaults().withDevice(TestGpu.device()))) {
        device.run(SmallModel.inputs(1, 8, 3));
      }
      recording.stop();
      recording.dump(saved);
    }
    Map<String, List<RecordedEvent>> events =
        RecordingFile.readAllEvents(saved).stream()
            .collect(Collectors.groupingBy(event -> event.getEventType().getName()));
    RecordedEvent plan = events.get("dev.filigree.Plan").getFirst();
    List<RecordedEvent> choices = events.get("dev.filigree.KernelChoice");
    assertEquals(plan.getInt("operations"), choices.size());
    assertTrue(
        choices.stream().anyMatch(choice -> choice.getString("kernel").startsWith("linear_")));
    RecordedEvent packed = events.get("dev.filigree.Pack").getFirst();
    assertTrue(packed.getLong("bytes") > 0);
    List<RecordedEvent> fallbacks = events.get("dev.filigree.Fallback");
    assertTrue(
        fallbacks.stream().anyMatch(each -> each.getString("what").startsWith("Mean ")),
        fallbacks.toString());
  }
}
