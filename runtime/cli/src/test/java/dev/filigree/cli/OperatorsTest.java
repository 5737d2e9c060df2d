package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.kernel.OperatorTable;
import dev.filigree.kernel.Operators;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The table of operators: printed, as JSON, and in the guide. */
final class OperatorsTest {
  private static final Path GUIDE = Path.of("../../src/docs/operators.md");

  @Test
  void theCommandPrintsEveryOperatorAndTheTotal() {
    Cli.Result result = Cli.run("operators");
    assertEquals(0, result.code(), result.err());
    List<String> lines = result.out().lines().toList();
    for (String type : Operators.onnxTypes()) {
      assertTrue(lines.stream().anyMatch(line -> line.startsWith(type + " ")), type);
    }
    OperatorTable.Row total = OperatorTable.total();
    assertEquals(
        List.of("all", "" + total.passed(), "" + total.failed(), "" + total.unsupported()),
        List.of(lines.getLast().split("\\s+")));
  }

  @Test
  void theJsonDocumentSaysWhatIsSupported() {
    JsonNode document = Cli.run("operators", "--json").json();
    assertEquals(1072, document.get("passed").asInt() + document.get("unsupported").asInt());
    assertEquals(0, document.get("failed").asInt());
    Map<String, Boolean> supported = new HashMap<>();
    for (JsonNode row : document.get("operators")) {
      supported.put(row.get("operator").asString(), row.get("supported").asBoolean());
    }
    assertEquals(true, supported.get("Conv"));
    assertEquals(true, supported.get("GroupNormalization"), "supported though not in the suite");
    assertEquals(false, supported.get("StringNormalizer"));
  }

  @Test
  void theGuideHasTheSameTable() throws IOException {
    String guide = Files.readString(GUIDE);
    List<String> expected =
        OperatorTable.read().stream()
            .map(
                row ->
                    "| " + row.operator() + " | " + row.passed() + " | " + row.unsupported() + " |")
            .toList();
    assertEquals(
        expected,
        guide.lines().filter(line -> line.matches("\\| \\S.* \\| \\d+ \\| \\d+ \\|")).toList());
    OperatorTable.Row total = OperatorTable.total();
    assertTrue(
        guide.contains(
            total.passed()
                + " passed, "
                + total.failed()
                + " failed, "
                + total.unsupported()
                + " unsupported of 1072"),
        "the guide's total is another than " + total);
    for (String type : Operators.onnxTypes()) {
      assertTrue(guide.matches("(?s).*\\b" + type + "\\b.*"), type + " is missing in the guide");
    }
  }
}
