package dev.filigree.event;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.plan.LayerTime;
import dev.filigree.serving.BatchOptions;
import dev.filigree.serving.Batcher;
import dev.filigree.testing.OnnxModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EventTest {
  private static final SessionOptions SCALAR =
      SessionOptions.defaults().withKernels("scalar").withThreads(1);

  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void write() {
    file =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", "8")
            .initializer("w", Tensor.of(new float[32], 8, 4))
            .node("MatMul", "y", "x", "w")
            .output("y", DType.F32, "batch", "4")
            .write(folder.resolve("events.onnx"));
  }

  private static Map<String, Tensor> rows(int rows) {
    return Map.of("x", Tensor.of(new float[rows * 8], rows, 8));
  }

  private Map<String, List<RecordedEvent>> recorded() throws IOException {
    Path saved = folder.resolve("recording.jfr");
    try (Recording recording = new Recording()) {
      for (Class<? extends jdk.jfr.Event> type :
          List.of(
              LoadEvent.class,
              PackEvent.class,
              PlanEvent.class,
              WarmUpEvent.class,
              RunEvent.class,
              BatchEvent.class,
              KernelChoiceEvent.class,
              FallbackEvent.class)) {
        recording.enable(type).withoutThreshold();
      }
      recording.start();
      try (Model model = Model.open(file);
          Session session = model.session(SCALAR);
          Batcher batcher = Batcher.over(session, BatchOptions.defaults())) {
        session.warmUp(rows(2), Progress.NONE);
        batcher.run(rows(3));
      }
      Flight.fallback("less", "why", "what to do");
      recording.stop();
      recording.dump(saved);
    }
    return RecordingFile.readAllEvents(saved).stream()
        .filter(event -> event.getEventType().getName().startsWith("dev.filigree."))
        .collect(
            Collectors.groupingBy(
                event -> event.getEventType().getName().substring("dev.filigree.".length()),
                TreeMap::new,
                Collectors.toList()));
  }

  @Test
  void aRecordingTellsWhatWasLoadedPlannedChosenAndRun() throws IOException {
    Map<String, List<RecordedEvent>> events = recorded();
    RecordedEvent load = events.get("Load").getFirst();
    assertEquals(file.toString(), load.getString("path"));
    assertEquals(8 * 4 * 4, load.getLong("bytes"));
    assertTrue(load.getDuration().toNanos() > 0);
    assertEquals("dense f32", events.get("Pack").getFirst().getString("format"));
    assertTrue(
        events.get("Plan").stream().anyMatch(e -> e.getString("shapes").contains("[3, 8]")),
        events.toString());
    assertTrue(
        events.get("KernelChoice").stream()
            .allMatch(e -> !e.getString("kernel").isEmpty() && !e.getString("reason").isEmpty()));
    assertEquals("events", events.get("WarmUp").getFirst().getString("model"));
    RecordedEvent run = events.get("Run").getLast();
    assertEquals("events", run.getString("model"));
    assertEquals("cpu", run.getString("device"));
    RecordedEvent batch = events.get("Batch").getFirst();
    assertEquals(1, batch.getInt("requests"));
    assertEquals(3, batch.getLong("rows"));
    assertTrue(batch.getDuration().compareTo(run.getDuration()) >= 0);
    assertEquals(1, events.get("Run").size(), "the warm-up's own runs are no runs of a caller");
    assertEquals("what to do", events.get("Fallback").getLast().getString("remedy"));
  }

  @Test
  void nothingIsRecordedUnlessAsked() {
    assertNull(Flight.begin(RunEvent::new));
    assertNull(Flight.begin(BatchEvent::new));
  }

  @Test
  void aProfileNamesEveryStepInItsOrder() {
    try (Model model = Model.open(file);
        Session session = model.session(SCALAR)) {
      List<LayerTime> times = session.profile(rows(5));
      List<String> kernels = times.stream().map(LayerTime::work).toList();
      assertEquals(List.of("to panels", ""), kernels);
      long end = 0;
      for (LayerTime time : times) {
        assertEquals("Linear", time.layer().operator());
        assertTrue(time.startNanos() >= end && time.nanos() > 0, time.toString());
        end = time.startNanos() + time.nanos();
      }
    }
  }
}
