package dev.filigree.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.kernel.OperatorTable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Every case of ONNX's own suite, by the reference interpreter. The report goes to {@code
 * target/onnx-conformance.txt}; the cases that passed once are listed in {@code passing-cases.txt}.
 */
final class OnnxConformanceTest {
  /** Version of ONNX whose suite the list of passing cases was made with, and its size. */
  private static final int CASES_OF_1_12 = 1072;

  private static ConformanceReport report;
  private static int cases;

  @BeforeAll
  static void runTheSuite() throws IOException {
    Optional<Path> folder = OnnxTestData.folder();
    if (folder.isEmpty()) {
      System.out.println(OnnxTestData.remedy());
      abort(OnnxTestData.remedy());
    }
    report = new ConformanceReport();
    List<Path> folders = OnnxTestData.cases(folder.get());
    cases = folders.size();
    for (Path each : folders) {
      ConformanceCase tested = new ConformanceCase(each);
      report.add(tested, tested.run());
    }
    System.out.println(report.summary());
    System.out.print(report.table());
    Files.writeString(
        Path.of("target", "onnx-conformance.txt"),
        report.summary() + "\n\n" + report.table() + "\n" + report.details());
  }

  @Test
  void noCaseOfASupportedOperatorFails() {
    assertTrue(cases > 0, "the suite has cases");
    assertEquals(List.of(), report.failures());
  }

  @Test
  void everyCaseThatPassedOncePassesStill() throws IOException {
    List<String> lost =
        passingCases().stream()
            .filter(name -> !report.passed().contains(name))
            .map(name -> name + " " + report.outcome(name))
            // a later suite states some cases in operator sets we do not read yet
            .filter(line -> cases == CASES_OF_1_12 || !line.contains("of the ONNX operator set"))
            .toList();
    assertEquals(List.of(), lost);
  }

  @Test
  void theTableThatTheCommandPrintsIsTrue() {
    assumeTrue(cases == CASES_OF_1_12, "the table is of the suite of ONNX 1.12");
    assertEquals(report.csv(), OperatorTable.read().stream().map(Object::toString).toList());
  }

  private static List<String> passingCases() throws IOException {
    try (InputStream list = OnnxConformanceTest.class.getResourceAsStream("passing-cases.txt")) {
      return new String(list.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    }
  }
}
