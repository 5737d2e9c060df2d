package dev.filigree.kernel;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * What became of the cases of ONNX's conformance suite (version 1.12), operator by operator. The
 * numbers are a file of this module, and the conformance test fails when they are not true.
 */
public final class OperatorTable {
  private static final String FILE = "conformance.csv";

  private OperatorTable() {}

  /**
   * The cases of one operator.
   *
   * @param operator its type; models of several nodes stand under one heading
   * @param passed cases whose every output is as expected
   * @param failed cases with another output
   * @param unsupported cases that are refused
   */
  public record Row(String operator, int passed, int failed, int unsupported) {
    /** As the file has it. */
    @Override
    public String toString() {
      return operator + "," + passed + "," + failed + "," + unsupported;
    }
  }

  /** All rows by name. */
  public static List<Row> read() {
    try (InputStream file = OperatorTable.class.getResourceAsStream(FILE)) {
      return new String(file.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .skip(1)
          .map(line -> line.split(","))
          .map(
              cells ->
                  new Row(
                      cells[0],
                      Integer.parseInt(cells[1]),
                      Integer.parseInt(cells[2]),
                      Integer.parseInt(cells[3])))
          .toList();
    } catch (IOException unreadable) {
      throw new UncheckedIOException("resource " + FILE + " cannot be read", unreadable);
    }
  }

  /** All cases together, under a heading of their own. */
  public static Row total() {
    Row total = new Row("all", 0, 0, 0);
    for (Row row : read()) {
      total =
          new Row(
              total.operator,
              total.passed + row.passed,
              total.failed + row.failed,
              total.unsupported + row.unsupported);
    }
    return total;
  }
}
