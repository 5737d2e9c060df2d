package dev.filigree.benchmarks;

import dev.filigree.benchmarks.OperationBenchmark.Operation;
import java.util.Collection;
import java.util.Locale;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * Runs {@link OperationBenchmark} and prints each operation beside its floor, measured in the same
 * run: the time in which a copy moves the bytes it must read and write, and for attention the time
 * of its multiply-adds in registers.
 */
public final class OperationFloors {
  private OperationFloors() {}

  /** Takes no arguments. */
  public static void main(String[] arguments) throws RunnerException {
    OptionsBuilder options = new OptionsBuilder();
    options.include(OperationBenchmark.class.getName()).verbosity(VerboseMode.SILENT);
    Collection<RunResult> results = new Runner(options.build()).run();
    double step = nanos(results, Operation.MULTIPLY_ADDS, 128);
    double flops = Peak.flops(OperationBenchmark.STEPS) / step;
    System.out.printf(Locale.ROOT, "multiply-adds in registers: %.0f GFLOP/s%n", flops);
    System.out.printf("%-20s %6s %10s %10s %8s%n", "", "tokens", "us", "floor, us", "of floor");
    for (int tokens : new int[] {128, 2048}) {
      double copy = nanos(results, Operation.COPY, tokens);
      for (Operation operation : Operation.values()) {
        if (operation == Operation.MULTIPLY_ADDS) {
          continue;
        }
        double time = nanos(results, operation, tokens);
        double floor = copy * operation.floats() / Operation.COPY.floats();
        if (operation == Operation.ATTENTION) {
          floor = 4.0 * tokens * tokens * OperationBenchmark.FEATURES / flops;
        }
        System.out.printf(
            Locale.ROOT,
            "%-20s %6d %10.1f %10.1f %7.0f%%%n",
            operation.name().toLowerCase(Locale.ROOT).replace('_', ' '),
            tokens,
            time / 1e3,
            floor / 1e3,
            100 * floor / time);
      }
    }
  }

  private static double nanos(Collection<RunResult> results, Operation operation, int tokens) {
    return results.stream()
        .filter(result -> result.getParams().getParam("operation").equals(operation.name()))
        .filter(result -> result.getParams().getParam("tokens").equals(Integer.toString(tokens)))
        .mapToDouble(result -> result.getPrimaryResult().getScore())
        .findFirst()
        .orElseThrow();
  }
}
