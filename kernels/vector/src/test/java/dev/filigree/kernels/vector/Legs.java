package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import dev.filigree.spi.KernelProvider.Probe;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;
import java.util.SplittableRandom;
import java.util.function.IntToDoubleFunction;

/**
 * The kernels under test and their twin, and how thorough this run of the tests is. The build runs
 * them once for each width of vectors that the JVM can be told to use; see the module's pom.
 */
final class Legs {
  /** Whether this is one of the runs with another width, which take fewer sizes. */
  private static final boolean FEW = Boolean.getBoolean("filigree.test.few");

  /** Token counts around every width of a panel. */
  private static final int[] TOKENS = {
    1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 129, 200
  };

  private static final int[] FEW_TOKENS = {1, 3, 9, 31, 64, 129};

  private Legs() {}

  /** The vector kernels as the provider opens them. */
  static Kernels vector() {
    VectorProvider provider = new VectorProvider();
    assertInstanceOf(Probe.Ready.class, provider.probe());
    return provider.open();
  }

  /** The twin. */
  static Kernels scalar() {
    return KernelSets.open(KernelSets.SCALAR);
  }

  static boolean few() {
    return FEW;
  }

  static int[] tokens() {
    return FEW ? FEW_TOKENS : TOKENS;
  }

  /** Random numbers that are the same in each run of a test. */
  static SplittableRandom random(String subject) {
    return new SplittableRandom(subject.hashCode());
  }

  /** Values of a function of the index. */
  static float[] floats(int count, IntToDoubleFunction value) {
    float[] floats = new float[count];
    for (int i = 0; i < count; i++) {
      floats[i] = (float) value.applyAsDouble(i);
    }
    return floats;
  }

  /** Normally distributed values. */
  static float[] normal(SplittableRandom random, int count) {
    return floats(count, i -> random.nextGaussian());
  }

  /** Counts around one to three vectors. */
  static int[] counts() {
    return new int[] {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 65, 200};
  }
}
