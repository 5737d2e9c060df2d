package dev.filigree.cli;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.logging.LogManager;

/**
 * What the command lets the libraries say: only what went wrong, since it reports in its own words.
 * Java makes one when something logs first, so that commands that log nothing need not load the
 * logging classes.
 */
public final class Logging {
  private static final String CLASS = "java.util.logging.config.class";
  private static final String FILE = "java.util.logging.config.file";

  /**
   * DJL looks for a GPU although only its tokenizer is used, and warns if a driver does not fit.
   */
  private static final String LEVELS =
      """
      handlers = java.util.logging.ConsoleHandler
      .level = WARNING
      ai.djl.level = SEVERE
      """;

  /** For the log manager. */
  public Logging() throws IOException {
    LogManager.getLogManager()
        .readConfiguration(new ByteArrayInputStream(LEVELS.getBytes(StandardCharsets.UTF_8)));
  }

  /** Makes the libraries quiet, unless the user configured logging. */
  static void quiet() {
    if (System.getProperty(CLASS) == null && System.getProperty(FILE) == null) {
      System.setProperty(CLASS, Logging.class.getName());
    }
  }
}
