package dev.filigree.conformance;

import dev.filigree.conformance.ConformanceCase.Outcome;
import dev.filigree.kernel.OperatorTable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Outcomes of the suite's cases, and how they are told. */
final class ConformanceReport {
  private record Entry(String operator, Outcome outcome) {}

  private final Map<String, Entry> entries = new LinkedHashMap<>();

  /** Takes the outcome of a case. */
  void add(ConformanceCase tested, Outcome outcome) {
    entries.put(tested.name(), new Entry(tested.operator(), outcome));
  }

  /** Names of the cases that passed. */
  Set<String> passed() {
    Set<String> names = new TreeSet<>();
    entries.forEach(
        (name, entry) -> {
          if (entry.outcome instanceof Outcome.Passed) {
            names.add(name);
          }
        });
    return names;
  }

  /** The cases that failed, each with the reason. */
  List<String> failures() {
    return entries.entrySet().stream()
        .filter(entry -> entry.getValue().outcome instanceof Outcome.Failed)
        .map(entry -> entry.getKey() + ": " + reason(entry.getValue().outcome))
        .toList();
  }

  /** What became of one case, for messages. */
  String outcome(String name) {
    Entry entry = entries.get(name);
    return entry == null ? "is not in the suite" : verdict(entry.outcome) + reason(entry.outcome);
  }

  /** One line: how many passed, failed, and are not supported. */
  String summary() {
    int[] counts = new int[3];
    entries.values().forEach(entry -> counts[column(entry.outcome)]++);
    return String.format(
        "ONNX conformance: %d passed, %d failed, %d unsupported of %d",
        counts[0], counts[1], counts[2], entries.size());
  }

  private Map<String, int[]> rows() {
    Map<String, int[]> rows = new TreeMap<>();
    for (Entry entry : entries.values()) {
      rows.computeIfAbsent(entry.operator, operator -> new int[3])[column(entry.outcome)]++;
    }
    return rows;
  }

  /** The rows of the table, as the file has them that the command prints from. */
  List<String> csv() {
    return rows().entrySet().stream()
        .map(
            row ->
                new OperatorTable.Row(
                        row.getKey(), row.getValue()[0], row.getValue()[1], row.getValue()[2])
                    .toString())
        .toList();
  }

  /** A line for each operator. */
  String table() {
    Map<String, int[]> rows = rows();
    StringBuilder table =
        new StringBuilder(
            String.format("%-28s %6s %6s %11s%n", "operator", "passed", "failed", "unsupported"));
    rows.forEach(
        (operator, counts) ->
            table.append(
                String.format("%-28s %6d %6d %11d%n", operator, counts[0], counts[1], counts[2])));
    return table.toString();
  }

  /** A line for each case. */
  String details() {
    StringBuilder lines = new StringBuilder();
    entries.forEach(
        (name, entry) ->
            lines.append(
                String.format(
                    "%-11s %s %s%n", verdict(entry.outcome), name, reason(entry.outcome))));
    return lines.toString();
  }

  private static int column(Outcome outcome) {
    return switch (outcome) {
      case Outcome.Passed() -> 0;
      case Outcome.Failed(String why) -> 1;
      case Outcome.Unsupported(String why) -> 2;
    };
  }

  private static String verdict(Outcome outcome) {
    return switch (outcome) {
      case Outcome.Passed() -> "passed";
      case Outcome.Failed(String why) -> "failed";
      case Outcome.Unsupported(String why) -> "unsupported";
    };
  }

  private static String reason(Outcome outcome) {
    return switch (outcome) {
      case Outcome.Passed() -> "";
      case Outcome.Failed(String why) -> "(" + why + ")";
      case Outcome.Unsupported(String why) -> "(" + why + ")";
    };
  }
}
