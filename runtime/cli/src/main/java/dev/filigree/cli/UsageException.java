package dev.filigree.cli;

/** The command was used wrongly in a way that only shows once it works. Exit code 2. */
final class UsageException extends RuntimeException {
  private static final long serialVersionUID = 1;

  UsageException(String message) {
    super(message);
  }
}
