package dev.filigree.benchmarks;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Linear layers of MiniLM's sizes and of twice them, on one thread. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {
      "--add-modules=jdk.incubator.vector",
      "--enable-native-access=ALL-UNNAMED",
      "-XX:+UseSerialGC"
    })
public class LinearBenchmark {
  /** Structure and encoding of the weights. */
  @Param public LinearLayer.Form form;

  /** Outputs x inputs. */
  @Param({"384x384", "1536x384", "384x1536", "3072x768", "768x3072"})
  public String shape;

  /** Tokens. */
  @Param({"1", "16", "128", "512"})
  public int tokens;

  private LinearLayer layer;

  /** Makes the layer. */
  @Setup
  public void open() {
    int x = shape.indexOf('x');
    layer =
        new LinearLayer(
            form,
            Integer.parseInt(shape.substring(0, x)),
            Integer.parseInt(shape.substring(x + 1)),
            tokens);
  }

  /** One layer; returns an output so that nothing is left out. */
  @Benchmark
  public float layer() {
    layer.run();
    return layer.output(0, 0);
  }
}
