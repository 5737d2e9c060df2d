package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * What the provider says in JVMs where its kernels cannot run, and that the scalar ones then do.
 */
final class ProbeTest {
  private static final String MODULE = "--add-modules=jdk.incubator.vector";
  private static final String NATIVE = "--enable-native-access=ALL-UNNAMED";
  private static final String PRODUCT = "123.0 153.0 183.0";

  private static void assertRefused(String why, String fix, String... options) throws Exception {
    List<String> report = Child.run(ProbeReport.class, options);
    String missing = why + "; " + fix;
    assertEquals(
        List.of("missing: " + missing, "missing: " + missing, "scalar", PRODUCT),
        report.subList(0, 4));
    assertTrue(report.get(4).startsWith("vector refused: "), report.get(4));
    assertTrue(report.get(4).contains(why) && report.get(4).contains(fix), report.get(4));
  }

  @Test
  void withoutTheModuleTheScalarKernelsServe() throws Exception {
    assertRefused(
        "module jdk.incubator.vector is not loaded",
        "start Java with --add-modules=jdk.incubator.vector");
  }

  @Test
  void withoutTheOptimisingCompilerTheScalarKernelsServe() throws Exception {
    String fix = "remove -Xint or -XX:TieredStopAtLevel from the Java options";
    String why = "this JVM runs without its optimising compiler (%s)";
    assertRefused(
        why.formatted("mixed mode, emulated-client, sharing"),
        fix,
        MODULE,
        "-XX:TieredStopAtLevel=1");
    assertRefused(why.formatted("TieredStopAtLevel=3"), fix, MODULE, "-XX:TieredStopAtLevel=3");
    assertRefused(why.formatted("interpreted mode, sharing"), fix, MODULE, "-Xint");
  }

  @Test
  void withoutFusedMultiplyAddTheScalarKernelsServe() throws Exception {
    Processor.assumeX86();
    assertRefused(
        "this JVM has no fused multiply-add and would compute each one in software",
        "remove -XX:UseAVX from the Java options, or use a processor with AVX2 or NEON",
        MODULE,
        NATIVE,
        "-XX:UseAVX=0");
  }

  @Test
  void withoutNativeAccessTheScalarKernelsServe() throws Exception {
    assertRefused(
        "this JVM denies native access, and with it the memory the kernels work on",
        "start Java with --enable-native-access=ALL-UNNAMED, or =dev.filigree.kernels.vector on the"
            + " module path",
        MODULE,
        "--illegal-native-access=deny");
  }

  @Test
  void withModuleAndCompilerTheVectorKernelsServe() throws Exception {
    List<String> report = Child.run(ProbeReport.class, MODULE, NATIVE);
    String ready = "ready: " + Lanes.bits() + "-bit";
    String name = "vector " + Lanes.bits() + "-bit";
    assertEquals(List.of(ready, ready, name, PRODUCT, "vector opens as " + name), report);
  }
}
