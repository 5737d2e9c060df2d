package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.PrintWriter;
import java.io.StringWriter;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;

/** The command run inside the test's JVM. */
final class Cli {
  private static final ObjectMapper ONE_DOCUMENT =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  private Cli() {}

  /** What a command did. */
  record Result(int code, String out, String err) {
    /** Standard output, which must be one JSON document and nothing else. */
    JsonNode json() {
      assertEquals(0, code, err);
      return ONE_DOCUMENT.readTree(out);
    }

    /** Checks that it failed as it should: a message, nothing else. */
    Result failsWith(int expected) {
      assertEquals(expected, code, out + err);
      assertEquals("", out, "nothing belongs on standard output");
      assertFalse(err.contains("\tat ") || err.contains("Exception"), "stack trace: " + err);
      assertFalse(err.contains("internal error"), err);
      assertFalse(err.isBlank(), "no message");
      return this;
    }
  }

  static Result run(Object... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    String[] texts = new String[arguments.length];
    for (int i = 0; i < texts.length; i++) {
      texts[i] = arguments[i].toString();
    }
    int code = Main.run(new PrintWriter(out), new PrintWriter(err), texts);
    return new Result(code, out.toString(), err.toString());
  }
}
