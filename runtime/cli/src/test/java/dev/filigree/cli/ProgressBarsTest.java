package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ProgressBarsTest {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream terminal = new PrintStream(bytes, true, StandardCharsets.UTF_8);

  private String shown() {
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Test
  void shortWorkShowsNothing() {
    try (ProgressBars progress = new ProgressBars(terminal)) {
      for (int i = 0; i <= 1000; i++) {
        progress.at("counting", i, 1000);
      }
    }
    assertEquals("", shown());
  }

  @Test
  void aBarOfLongWorkIsGoneWhenItEnds() throws InterruptedException {
    try (ProgressBars progress = new ProgressBars(terminal)) {
      progress.at("waiting", 0, 4);
      Thread.sleep(1100);
      progress.at("waiting", 1, 4);
      progress.at("waiting", 2, 4);
    }
    String shown = shown();
    assertTrue(shown.contains("waiting"), shown);
    assertTrue(shown.endsWith("\r\033[K"), "the line is cleared at last");
    assertFalse(shown.contains("\n"), "nothing scrolls");
  }

  @Test
  void withoutATerminalNothingIsShown() throws InterruptedException {
    PrintStream before = System.err;
    System.setErr(terminal);
    try (ProgressBars progress = new ProgressBars(null)) {
      progress.at("waiting", 0, 2);
      Thread.sleep(1100);
      progress.at("waiting", 1, 2);
    } finally {
      System.setErr(before);
    }
    assertEquals("", shown());
  }
}
