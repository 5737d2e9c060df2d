package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;

/** A process under test. */
final class Program {
  private static final long LIMIT_SECONDS = 600;

  private static final ObjectMapper ONE_DOCUMENT =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  private final List<String> command;
  private final Process process;
  private final Path out;
  private final Path err;

  private Program(List<String> command, Process process, Path out, Path err) {
    this.command = command;
    this.process = process;
    this.out = out;
    this.err = err;
  }

  /** What a process did. */
  record Result(List<String> command, int code, String out, String err) {
    Result succeeds() {
      assertEquals(0, code, () -> command + "\n" + out + err);
      assertNoTrace();
      return this;
    }

    /** Checks for a message with these parts on standard error and nothing on standard output. */
    Result failsWith(int expected, String... parts) {
      assertEquals(expected, code, () -> command + "\n" + out + err);
      assertEquals("", out);
      assertNoTrace();
      for (String part : parts) {
        assertTrue(err.contains(part), () -> "no '" + part + "' in " + err);
      }
      return this;
    }

    private void assertNoTrace() {
      assertFalse(err.contains("\tat ") || err.contains("Exception"), err);
      assertFalse(err.contains("internal error"), err);
    }

    /** Standard output, which must be one JSON document and nothing else. */
    JsonNode json() {
      succeeds();
      return ONE_DOCUMENT.readTree(out);
    }
  }

  /** Those that have not ended. */
  private static final Set<Program> RUNNING = ConcurrentHashMap.newKeySet();

  /**
   * Starts a process, in a session of its own, whose output goes to files.
   *
   * @param folder where it starts
   * @param streams where those files are
   * @param environment what differs from this process's
   */
  static Program start(
      Path folder, Path streams, Map<String, String> environment, List<String> command) {
    try {
      Path out = Files.createTempFile(streams, "stdout", "");
      Path err = Files.createTempFile(streams, "stderr", "");
      // a session gathers all it starts, so that nothing outlives kill()
      List<String> session = new ArrayList<>(List.of("setsid"));
      session.addAll(command);
      ProcessBuilder builder =
          new ProcessBuilder(session)
              .directory(folder.toFile())
              .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
              .redirectOutput(out.toFile())
              .redirectError(err.toFile());
      // Maven's launcher passes these on, and a build inside a test must not take them over
      builder.environment().keySet().removeIf(name -> name.startsWith("MAVEN_"));
      builder.environment().putAll(environment);
      Program program = new Program(command, builder.start(), out, err);
      RUNNING.add(program);
      return program;
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  boolean isRunning() {
    return process.isAlive();
  }

  /** Waits for a line on standard output and returns the first. */
  String firstLine() {
    try {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
      while (Files.readString(out).indexOf('\n') < 0) {
        if (!process.isAlive() || System.nanoTime() > end) {
          throw new AssertionError(command + " said nothing; " + Files.readString(err));
        }
        Thread.sleep(50);
      }
      return Files.readAllLines(out).getFirst();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(interrupt);
    }
  }

  /** Asks it to end, as {@code kill} does. */
  void terminate() {
    process.destroy();
  }

  Result await() {
    try {
      if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        kill();
        throw new AssertionError(command + " did not end; it said " + Files.readString(err));
      }
      Result result =
          new Result(command, process.exitValue(), Files.readString(out), Files.readString(err));
      RUNNING.remove(this);
      Files.delete(out);
      Files.delete(err);
      return result;
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(interrupt);
    }
  }

  /** Ends it and all it started the hard way, as {@code kill -9} does. */
  void kill() {
    try {
      new ProcessBuilder("bash", "-c", "kill -KILL -- -" + process.pid())
          .redirectErrorStream(true)
          .redirectOutput(ProcessBuilder.Redirect.DISCARD)
          .start()
          .waitFor();
      process.destroyForcibly().waitFor();
      RUNNING.remove(this);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(interrupt);
    }
  }

  /** Ends what failed tests left running. */
  static void killAll() {
    RUNNING.forEach(Program::kill);
  }
}
