package dev.filigree.cli;

import java.util.logging.Level;
import java.util.logging.Logger;

/** What the command lets the libraries say. */
final class Logging {
  // held on to, since loggers that nobody holds lose their level
  private static final Logger OWN = Logger.getLogger("dev.filigree");

  /**
   * DJL looks for a GPU although only its tokenizer is used, and warns if a driver does not fit.
   */
  private static final Logger DJL = Logger.getLogger("ai.djl");

  private Logging() {}

  /** Lets only what went wrong through: the command reports in its own words. */
  static void quiet() {
    OWN.setLevel(Level.WARNING);
    DJL.setLevel(Level.SEVERE);
  }
}
