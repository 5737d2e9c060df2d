package dev.filigree.cli;

import dev.filigree.kernel.OperatorTable;
import dev.filigree.kernel.Operators;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Tells which ONNX operators are supported, and what became of the conformance suite's cases. */
@Command(
    name = "operators",
    description = "Show the supported ONNX operators and the conformance suite's verdict on each.",
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true)
final class OperatorsCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private Common.Format format;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    List<OperatorTable.Row> rows = rows();
    OperatorTable.Row total = OperatorTable.total();
    if (format.json) {
      ObjectNode document = fields(Output.JSON.createObjectNode(), total);
      ArrayNode operators = document.putArray("operators");
      for (OperatorTable.Row row : rows) {
        fields(operators.addObject().put("operator", row.operator()), row)
            .put("supported", Operators.onnxTypes().contains(row.operator()));
      }
      Output.json(out, document);
      return Main.DONE;
    }
    Output.Table table = new Output.Table("operator", ">passed", ">failed", ">unsupported");
    rows.forEach(row -> table.row(cells(row)));
    table.row(cells(total));
    table.print(out);
    out.flush();
    return Main.DONE;
  }

  /** The suite's operators and those supported ones that it has no case of, by name. */
  private static List<OperatorTable.Row> rows() {
    Map<String, OperatorTable.Row> rows = new TreeMap<>();
    for (String type : Operators.onnxTypes()) {
      rows.put(type, new OperatorTable.Row(type, 0, 0, 0));
    }
    OperatorTable.read().forEach(row -> rows.put(row.operator(), row));
    return List.copyOf(rows.values());
  }

  private static ObjectNode fields(ObjectNode node, OperatorTable.Row row) {
    return node.put("passed", row.passed())
        .put("failed", row.failed())
        .put("unsupported", row.unsupported());
  }

  private static String[] cells(OperatorTable.Row row) {
    return new String[] {
      row.operator(),
      Integer.toString(row.passed()),
      Integer.toString(row.failed()),
      Integer.toString(row.unsupported())
    };
  }
}
