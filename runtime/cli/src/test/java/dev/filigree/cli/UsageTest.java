package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UsageTest {
  @Test
  void withoutArgumentsItShowsCommandsAndExamples() {
    Cli.Result result = Cli.run().failsWith(Main.MISUSED);
    for (String part :
        new String[] {
          "run", "compress", "compare", "report", "bench", "serve", "inspect", "explain", "doctor"
        }) {
      assertTrue(result.err().contains("\n  " + part), result.err());
    }
    assertTrue(result.err().contains("Examples:"), result.err());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "run",
        "compress",
        "compare",
        "report",
        "bench",
        "serve",
        "inspect",
        "explain",
        "doctor"
      })
  void everyCommandHasHelpThatFitsATerminal(String command) {
    Cli.Result result = Cli.run(command, "--help");
    assertEquals(0, result.code());
    assertEquals("", result.err());
    assertTrue(result.out().contains("Usage: filigree " + command), result.out());
    assertTrue(command.equals("doctor") || result.out().contains("Examples:"), result.out());
    assertTrue(
        Arrays.stream(result.out().split("\n")).allMatch(line -> line.length() <= 88),
        result.out());
  }

  @Test
  void helpOfTheWholeNamesEveryCommand() {
    Cli.Result result = Cli.run("--help");
    assertEquals(0, result.code());
    assertTrue(result.out().contains("\n  doctor"), result.out());
  }

  @Test
  void itTellsItsVersion() {
    Cli.Result result = Cli.run("--version");
    assertEquals(0, result.code());
    assertTrue(result.out().matches("filigree \\d+\\.\\d+\\.\\d+\\S*\\R"), result.out());
  }

  @Test
  void aMisspeltCommandGetsASuggestion() {
    Cli.Result result = Cli.run("compres", "minilm").failsWith(Main.MISUSED);
    assertTrue(result.err().contains("'compres'"), result.err());
    assertTrue(result.err().contains("compress"), result.err());
  }

  @Test
  void aMisspeltOptionIsNamed() {
    Cli.Result result = Cli.run("run", "minilm", "--txt", "a").failsWith(Main.MISUSED);
    assertTrue(result.err().contains("'--txt'"), result.err());
    assertTrue(result.err().contains("Try 'filigree run --help'."), result.err());
  }

  @Test
  void aMissingModelIsNamed() {
    assertTrue(Cli.run("inspect").failsWith(Main.MISUSED).err().contains("MODEL"));
  }

  @Test
  void verboseFailuresShowWhereTheyHappened() {
    Cli.Result result = Cli.run("inspect", "nothing.onnx", "--verbose");
    assertEquals(Main.FAILED, result.code());
    assertTrue(result.err().contains("\tat dev.filigree"), result.err());
  }
}
