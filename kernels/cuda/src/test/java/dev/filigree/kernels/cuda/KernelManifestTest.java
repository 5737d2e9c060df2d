package dev.filigree.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KernelManifestTest {
  private static final String VALID =
      """
      {"version": 1, "kernels": [{"entry": "gemm", "ptx": "gemm.ptx", "operation": "linear",
       "weights": {"structure": "sparse24", "values": "f16"}, "activation": "f16",
       "tile": {"out": 64, "tokens": 8, "k": 256}, "threads": 128, "sharedBytes": 4096,
       "staticSharedBytes": 0, "registers": 100, "minimumArchitecture": 80, "tokensFrom": 1,
       "tokensTo": 8, "grid": "streamK",
       "parameters": [{"name": "x", "type": "pointer"}, {"name": "tokens", "type": "i32"}]}]}
      """;

  private static KernelManifest read(String json) {
    return ManifestReader.read(json.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void everyKernelOfTheJarHasItsEntryInItsPtx() {
    KernelManifest manifest = KernelManifest.load();
    assertTrue(manifest.kernels().size() > 0);
    for (KernelEntry kernel : manifest.kernels().values()) {
      String ptx = new String(KernelManifest.ptx(kernel.ptx()), StandardCharsets.US_ASCII);
      assertTrue(ptx.contains(".visible .entry " + kernel.entry() + "("), kernel.entry());
    }
  }

  @Test
  void everyFactOfAKernelIsRead() {
    KernelEntry kernel = read(VALID).kernel("gemm");
    assertEquals("gemm.ptx", kernel.ptx());
    assertEquals(
        new WeightsForm(WeightsForm.Structure.SPARSE24, WeightsForm.Values.F16),
        kernel.weights().orElseThrow());
    assertEquals(ActivationType.F16, kernel.activation().orElseThrow());
    assertEquals(new Tile(64, 8, 256), kernel.tile().orElseThrow());
    assertEquals(128, kernel.threads());
    assertEquals(4096, kernel.sharedBytes());
    assertEquals(100, kernel.registers());
    assertEquals(80, kernel.minimumArchitecture());
    assertEquals(8, kernel.tokensTo());
    assertEquals(GridRule.STREAM_K, kernel.grid());
    assertEquals(
        List.of(
            new Parameter("x", Parameter.Type.POINTER),
            new Parameter("tokens", Parameter.Type.I32)),
        kernel.parameters());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"threads\": 128|\"threads\": 2048|gemm has \"threads\": 2048",
        "\"threads\": 128|\"threads\": 12.5|gemm has \"threads\": 12.5",
        "\"threads\": 128,||gemm has no \"threads\"",
        "\"threads\": 128|\"threads\": 128, \"thread\": 1|unknown key \"thread\"",
        "\"threads\": 128|\"threads\": 128, \"threads\": 128|is no JSON",
        "\"streamK\"|\"diagonal\"|none of [single, streamK",
        "\"sparse24\"|\"sparse\"|gemm, weights has \"structure\": \"sparse\"",
        "\"name\": \"tokens\"|\"name\": \"x\"|gemm takes x twice",
        "\"i32\"|\"i16\"|none of [pointer, i64, i32, f32, axes]",
        "\"gemm.ptx\"|\"../gemm.ptx\"|names \"../gemm.ptx\"",
        "\"tokensTo\": 8|\"tokensTo\": 0|no integer from 1",
        "\"version\": 1|\"version\": 2|version 2 is not version 1",
        "\"k\": 256}|\"k\": 256, \"z\": 1}|gemm, tile has the unknown key \"z\""
      })
  void aManifestThatSaysSomethingElseIsRefusedByName(String text, String instead, String message) {
    String json = VALID.replace(text, instead == null ? "" : instead);
    ManifestException e = assertThrows(ManifestException.class, () -> read(json));
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  @Test
  void twoKernelsOfOneNameAreRefused() {
    String kernel = VALID.substring(VALID.indexOf("[{") + 1, VALID.lastIndexOf("]}"));
    String json = "{\"version\": 1, \"kernels\": [" + kernel + "," + kernel + "]}";
    ManifestException e = assertThrows(ManifestException.class, () -> read(json));
    assertTrue(e.getMessage().contains("two kernels are called gemm"), e.getMessage());
  }

  @Test
  void anUnknownKernelIsRefusedByName() {
    ManifestException e = assertThrows(ManifestException.class, () -> read(VALID).kernel("conv"));
    assertTrue(e.getMessage().contains("conv"), e.getMessage());
  }
}
