package dev.filigree.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is read of Maven's reports of tests. */
class TestReportsTest {
  @TempDir private Path folder;

  @Test
  void countsWhatPassedWasSkippedAndFailed() throws IOException {
    Files.writeString(
        folder.resolve("TEST-a.BTest.xml"),
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuite name="a.BTest" tests="4">
          <properties><property name="x" value="y"/></properties>
          <testcase name="adds" classname="a.BTest" time="0.1"/>
          <testcase name="needsFaults" classname="a.BTest"><skipped message="simulated only"/></testcase>
          <testcase name="rounds" classname="a.BTest">
            <failure message="token 3 ==&gt; expected: 1&#10;more" type="E">trace</failure>
          </testcase>
          <testcase name="ends" classname="a.BTest"><error type="java.lang.Oops">trace</error></testcase>
        </testsuite>
        """);
    Files.writeString(
        folder.resolve("TEST-a.CTest.xml"),
        "<testsuite><testcase name=\"copies\""
            + " classname=\"a.CTest\"><system-out>x</system-out></testcase></testsuite>");
    Files.writeString(folder.resolve("a.BTest.txt"), "not read");
    assertEquals(
        new TestReports(
            2,
            1,
            List.of("a.BTest.rounds: token 3 ==> expected: 1", "a.BTest.ends: java.lang.Oops")),
        TestReports.read(folder));
  }

  @Test
  void whereNoTestRanThatIsAFailure() throws IOException {
    TestReports none = TestReports.read(folder.resolve("missing"));
    assertEquals(0, none.passed());
    assertTrue(none.failures().getFirst().startsWith("no test ran"), none.toString());
  }
}
