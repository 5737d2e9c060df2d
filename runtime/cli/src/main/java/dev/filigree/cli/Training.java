package dev.filigree.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Does what users do, so that the launcher's archive of linked classes knows the classes it takes.
 * Fails if a command does.
 */
final class Training {
  private Training() {}

  public static void main(String[] arguments) throws IOException {
    Logging.quiet();
    // in the cache, which the launcher makes for this and removes
    Path compressed = Cache.folder("trained").resolve("model.filigree");
    try {
      command("doctor");
      command("doctor", "--json");
      command("compress", "minilm", "--recipe", "2:4", "-o", compressed.toString());
      command("run", "minilm", "--text", "A man is eating food.");
      command("run", compressed.toString(), "--text", "A man is eating food.", "--json");
      command("inspect", compressed.toString());
      command("explain", compressed.toString(), "--no-measure");
    } finally {
      Files.deleteIfExists(compressed);
    }
  }

  private static void command(String... arguments) {
    PrintWriter error = StandardOutput.errors();
    int code = Main.run(new StandardOutput().writer(), error, arguments);
    if (code != Main.DONE) {
      throw new IllegalStateException(String.join(" ", arguments) + " exited with " + code);
    }
  }
}
