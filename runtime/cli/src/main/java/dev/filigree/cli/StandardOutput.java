package dev.filigree.cli;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;

/**
 * Standard output that remembers when it could not be written, which {@link PrintWriter} swallows.
 * A reader that went away, such as {@code head}, has what it wanted: that is no failure.
 */
final class StandardOutput extends OutputStream {
  private static final int BUFFER = 1 << 16;

  private final OutputStream out;
  private boolean ended;
  private IOException failure;

  StandardOutput() {
    this(new FileOutputStream(FileDescriptor.out));
  }

  StandardOutput(OutputStream out) {
    this.out = out;
  }

  /** A writer of UTF-8, which JSON has to be, whatever the locale says. */
  PrintWriter writer() {
    return new PrintWriter(
        new OutputStreamWriter(new BufferedOutputStream(this, BUFFER), StandardCharsets.UTF_8));
  }

  /** A writer of messages to standard error. */
  static PrintWriter errors() {
    return new PrintWriter(
        new OutputStreamWriter(new FileOutputStream(FileDescriptor.err), StandardCharsets.UTF_8),
        true);
  }

  /** What went wrong, or null. */
  String failure() {
    return failure == null ? null : failure.getMessage();
  }

  @Override
  public void write(int value) {
    write(new byte[] {(byte) value}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int from, int count) {
    if (ended) {
      return;
    }
    try {
      out.write(bytes, from, count);
    } catch (IOException failed) {
      ended = true;
      if (failed.getMessage() == null || !failed.getMessage().contains("Broken pipe")) {
        failure = failed;
      }
    }
  }
}
