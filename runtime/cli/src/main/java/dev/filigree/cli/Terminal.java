package dev.filigree.cli;

import java.io.Console;

/**
 * The terminal the command runs in. Java cannot tell whether standard error is one, nor how wide it
 * is; the launcher can.
 */
final class Terminal {
  private static final String ERRORS = "dev.filigree.cli.terminal";
  private static final String COLUMNS = "dev.filigree.cli.columns";

  private Terminal() {}

  /** Whether a person sees standard error. */
  static boolean showsErrors() {
    String told = System.getProperty(ERRORS);
    if (told != null) {
      return Boolean.parseBoolean(told);
    }
    Console console = System.console();
    return console != null && console.isTerminal();
  }

  /** Characters in a line of standard output; no limit where it is no terminal. */
  static int columns() {
    int columns = Integer.getInteger(COLUMNS, Integer.MAX_VALUE);
    return columns > 0 ? columns : Integer.MAX_VALUE;
  }
}
