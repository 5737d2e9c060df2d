package dev.filigree.cuda.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.cuda.kernel.PtxCompiler.Resources;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.kernels.cuda.Parameter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The PTX in the jar, compiled for every architecture it is meant for, against its manifest. */
class ShippedPtxTest {
  private static final String[] ARCHITECTURES = {"sm_80", "sm_86", "sm_89", "sm_90"};

  /** The compiler allots registers to a warp in units of 256, so 8 a thread. */
  private static final int REGISTER_UNIT = 8;

  private static final int REGISTERS_OF_A_THREAD = 255;

  private static final KernelManifest MANIFEST = KernelManifest.load();

  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  static Path folder;

  @BeforeAll
  static void loadCompiler() {
    PtxCompiler.load(folder);
  }

  static Stream<String> modules() {
    return MANIFEST.kernels().values().stream().map(KernelEntry::ptx).distinct();
  }

  @ParameterizedTest
  @MethodSource("modules")
  void everyArchitectureTakesItWithoutSpillsAndWithinTheManifestsBudget(String ptx) {
    // the compiler is thread-safe, and most of this module's time is its
    Stream.of(ARCHITECTURES).parallel().forEach(architecture -> check(ptx, architecture));
  }

  private static void check(String ptx, String architecture) {
    Map<String, Resources> compiled = PtxCompiler.compile(KernelManifest.ptx(ptx), architecture);
    for (KernelEntry kernel : MANIFEST.kernels().values()) {
      if (!kernel.ptx().equals(ptx)) {
        continue;
      }
      String what = kernel.entry() + " for " + architecture;
      Resources resources = compiled.get(kernel.entry());
      assertNotNull(resources, what);
      assertEquals(0, resources.spillBytes(), what + " spills");
      assertTrue(
          resources.registers() <= budget(kernel),
          what + " takes " + resources.registers() + " registers of " + budget(kernel));
      assertTrue(
          resources.sharedBytes() <= kernel.staticSharedBytes(),
          what + " takes " + resources.sharedBytes() + " static bytes");
    }
  }

  /** The manifest's registers, in whole units and one more: this compiler is an older release. */
  private static int budget(KernelEntry kernel) {
    int units = Math.ceilDiv(kernel.registers(), REGISTER_UNIT) + 1;
    int ofBlock = 65536 / kernel.threads();
    return Math.min(Math.min(units * REGISTER_UNIT, REGISTERS_OF_A_THREAD), ofBlock);
  }

  @Test
  void theManifestHasTheSignatureOfEveryEntryAndNoOther() {
    List<String> entries = new ArrayList<>();
    for (String ptx : modules().toList()) {
      Matcher entry = Pattern.compile("\\.visible \\.entry (\\w+)\\(([^)]*)\\)").matcher(text(ptx));
      while (entry.find()) {
        entries.add(entry.group(1));
        List<Integer> sizes =
            Pattern.compile(
                    "\\.param\\s+(?:\\.align\\s+\\d+\\s+)?\\.[a-z](\\d+)\\s+\\w+(?:\\[(\\d+)])?")
                .matcher(entry.group(2))
                .results()
                .map(ShippedPtxTest::bytes)
                .toList();
        assertEquals(
            MANIFEST.kernel(entry.group(1)).parameters().stream()
                .map(Parameter::type)
                .map(Parameter.Type::bytes)
                .toList(),
            sizes,
            entry.group(1));
      }
    }
    assertEquals(MANIFEST.kernels().keySet(), entries.stream().collect(Collectors.toSet()));
  }

  /** Of a parameter: its element's bits, times its length if it is an array. */
  private static int bytes(MatchResult parameter) {
    int elements = parameter.group(2) == null ? 1 : Integer.parseInt(parameter.group(2));
    return Integer.parseInt(parameter.group(1)) / Byte.SIZE * elements;
  }

  @Test
  void oldDriversCanLoadIt() {
    for (String ptx : modules().toList()) {
      Matcher version = Pattern.compile("\\.version (\\d+)\\.(\\d+)").matcher(text(ptx));
      assertTrue(version.find(), ptx);
      assertTrue(Integer.parseInt(version.group(1)) <= 8, ptx + " is " + version.group());
    }
  }

  private static String text(String ptx) {
    return new String(KernelManifest.ptx(ptx), StandardCharsets.US_ASCII);
  }
}
