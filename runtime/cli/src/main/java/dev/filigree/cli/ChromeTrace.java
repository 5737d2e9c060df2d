package dev.filigree.cli;

import dev.filigree.format.AtomicFile;
import dev.filigree.plan.LayerTime;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.core.JsonGenerator;

/**
 * What each kernel took, as a file that Perfetto and Chrome's tracing show (Trace Event Format: one
 * complete event for each step, times in microseconds). Each profiled run is one thread, each
 * configuration one process.
 */
final class ChromeTrace {
  /** Runs of one configuration, first to last. */
  record Profile(String title, List<List<LayerTime>> runs) {}

  private ChromeTrace() {}

  /**
   * Writes a trace.
   *
   * @throws dev.filigree.OutputException if it cannot be written
   */
  static void write(Path file, List<Profile> profiles) {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    try (JsonGenerator json = Output.JSON.createGenerator(text)) {
      write(json, profiles);
    }
    AtomicFile.write(
        file,
        channel -> {
          ByteBuffer bytes = ByteBuffer.wrap(text.toByteArray());
          while (bytes.hasRemaining()) {
            channel.write(bytes);
          }
        });
  }

  private static void write(JsonGenerator json, List<Profile> profiles) {
    json.writeStartObject();
    json.writeStringProperty("displayTimeUnit", "ms");
    json.writeArrayPropertyStart("traceEvents");
    for (int process = 0; process < profiles.size(); process++) {
      Profile profile = profiles.get(process);
      name(json, "process_name", process, 0, profile.title());
      for (int run = 0; run < profile.runs().size(); run++) {
        name(json, "thread_name", process, run, "run " + (run + 1));
        for (LayerTime time : profile.runs().get(run)) {
          event(json, process, run, time);
        }
      }
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void name(JsonGenerator json, String what, int process, int thread, String name) {
    json.writeStartObject();
    json.writeStringProperty("ph", "M");
    json.writeStringProperty("name", what);
    json.writeNumberProperty("pid", process);
    json.writeNumberProperty("tid", thread);
    json.writeObjectPropertyStart("args");
    json.writeStringProperty("name", name);
    json.writeEndObject();
    json.writeEndObject();
  }

  private static void event(JsonGenerator json, int process, int thread, LayerTime time) {
    String work = time.work().isEmpty() ? time.layer().kernel() : time.work();
    json.writeStartObject();
    json.writeStringProperty("ph", "X");
    json.writeStringProperty("name", time.layer().name());
    json.writeStringProperty("cat", time.layer().operator());
    json.writeNumberProperty("pid", process);
    json.writeNumberProperty("tid", thread);
    json.writeNumberProperty("ts", time.startNanos() / 1e3);
    json.writeNumberProperty("dur", time.nanos() / 1e3);
    json.writeObjectPropertyStart("args");
    json.writeStringProperty("kernel", work);
    json.writeStringProperty("format", time.layer().format());
    json.writeNumberProperty("bytes", time.layer().bytes());
    json.writeStringProperty("reason", time.layer().reason());
    json.writeEndObject();
    json.writeEndObject();
  }
}
