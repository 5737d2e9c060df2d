package dev.filigree.cli;

import dev.filigree.Progress;
import java.io.PrintStream;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarConsumer;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Shows work that takes over a second as a bar on standard error, if that is a terminal; a task
 * that ends sooner shows nothing, and a bar is gone when its task ends.
 */
final class ProgressBars implements Progress, AutoCloseable {
  private static final long PATIENCE_NANOS = 1_000_000_000;
  private static final int UPDATE_MILLIS = 200;

  /** A line that fits the narrowest usual terminal. */
  private static final int WIDTH = 79;

  /** Moves to the start of the line and clears it. */
  private static final String CLEAR = "\r\033[K";

  private final PrintStream terminal;
  private String task = "";
  private long start;
  private ProgressBar bar;

  ProgressBars() {
    this(Terminal.showsErrors() ? System.err : null);
  }

  /**
   * Bars on a terminal.
   *
   * @param terminal to draw on, or null to show nothing
   */
  ProgressBars(PrintStream terminal) {
    this.terminal = terminal;
  }

  /** One line that is drawn over. */
  private record Line(PrintStream terminal) implements ProgressBarConsumer {
    @Override
    public int getMaxRenderedLength() {
      return WIDTH;
    }

    @Override
    public void accept(String bar) {
      terminal.print("\r" + bar);
      terminal.flush();
    }

    /** The line is cleared by who closes the bar, which does not always get here. */
    @Override
    public void close() {}
  }

  @Override
  public void at(String name, long done, long total) {
    if (terminal == null) {
      return;
    }
    if (!name.equals(task)) {
      finish();
      task = name;
      start = System.nanoTime();
    }
    if (bar == null && done < total && System.nanoTime() - start > PATIENCE_NANOS) {
      bar =
          new ProgressBarBuilder()
              .setTaskName(name)
              .setInitialMax(total)
              .setStyle(ProgressBarStyle.UNICODE_BLOCK)
              .setUpdateIntervalMillis(UPDATE_MILLIS)
              .setConsumer(new Line(terminal))
              .hideEta()
              .build();
    }
    if (bar != null) {
      bar.stepTo(done);
      if (done >= total) {
        finish();
      }
    }
  }

  /** Takes the bar away, before something else is printed. */
  void finish() {
    if (bar != null) {
      bar.close();
      bar = null;
      terminal.print(CLEAR);
      terminal.flush();
    }
    task = "";
  }

  @Override
  public void close() {
    finish();
  }
}
