package dev.filigree.benchmarks;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** The floors under every other number: multiply-adds in registers, reads of 256 MiB. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class PeakBenchmark {
  /** Steps of twelve chains. */
  public static final int STEPS = 100_000;

  /** Floats beyond every cache. */
  public static final int FLOATS = 64 << 20;

  private float factor = 0.5f;
  private float[] values;

  /** Divide {@link Peak#flops} of the steps by the time. */
  @Benchmark
  public float multiplyAdds() {
    return Peak.multiplyAdd(STEPS, factor, 1);
  }

  /** Divide 256 MiB by the time. */
  @Benchmark
  public float reads() {
    if (values == null) {
      values = new float[FLOATS];
      Arrays.fill(values, 1);
    }
    return Peak.sum(values);
  }
}
