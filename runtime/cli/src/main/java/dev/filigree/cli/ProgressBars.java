package dev.filigree.cli;

import dev.filigree.Progress;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Shows work that takes over a second as a bar on standard error, if that is a terminal; a task
 * that ends sooner shows nothing.
 */
final class ProgressBars implements Progress, AutoCloseable {
  private static final long PATIENCE_NANOS = 1_000_000_000;

  private final boolean terminal;
  private String task = "";
  private long start;
  private ProgressBar bar;

  ProgressBars() {
    this.terminal = System.console() != null && System.console().isTerminal();
  }

  @Override
  public void at(String name, long done, long total) {
    if (!terminal) {
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
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(200)
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
    }
    task = "";
  }

  @Override
  public void close() {
    finish();
  }
}
