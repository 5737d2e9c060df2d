package dev.filigree.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.FormatException;
import java.awt.image.BufferedImage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PreprocessingTest {
  private static Preprocessing parse(String json) {
    return PreprocessingJson.parse("image.json", json);
  }

  private static Pixels pixels(int width, int height, int... rgb) {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    image.setRGB(0, 0, width, height, rgb, 0, width);
    return Pixels.of(image);
  }

  @Test
  void channelsAreOrderedScaledAndNormalised() {
    Pixels image = pixels(2, 1, 0xff8000, 0x102030);
    String numbers = ", \"scale\": 1, \"mean\": [1, 2, 3], \"std\": [2, 4, 8]}";
    assertArrayEquals(
        new float[] {127, 7.5f, 31.5f, 7.5f, -0.375f, 5.625f},
        parse("{\"channels\": \"rgb\"" + numbers).apply("x", image).values());
    assertArrayEquals(
        new float[] {-0.5f, 23.5f, 31.5f, 7.5f, 31.5f, 1.625f},
        parse("{\"channels\": \"bgr\"" + numbers).apply("x", image).values());
    assertArrayEquals(
        new float[] {127, 31.5f, -0.375f, 7.5f, 7.5f, 5.625f},
        parse("{\"layout\": \"nhwc\"" + numbers).apply("x", image).values());
    float[] gray = parse("{\"channels\": \"gray\", \"scale\": 1}").apply("x", image).values();
    assertArrayEquals(
        new float[] {
          Math.round(0.299 * 255 + 0.587 * 128), Math.round(0.299 * 16 + 0.587 * 32 + 0.114 * 48)
        },
        gray);
  }

  @Test
  void storedBrightnessIsTakenAsItIs() {
    BufferedImage image = new BufferedImage(3, 1, BufferedImage.TYPE_BYTE_GRAY);
    image.getRaster().setSamples(0, 0, 3, 1, 0, new int[] {0, 100, 255});
    assertArrayEquals(
        new float[] {0, 100, 255},
        parse("{\"channels\": \"gray\", \"scale\": 1}").apply("x", Pixels.of(image)).values());
    BufferedImage deep = new BufferedImage(2, 1, BufferedImage.TYPE_USHORT_GRAY);
    deep.getRaster().setSamples(0, 0, 2, 1, 0, new int[] {65535, 257 * 77});
    assertArrayEquals(
        new float[] {255, 77},
        parse("{\"channels\": \"gray\", \"scale\": 1}").apply("x", Pixels.of(deep)).values());
  }

  /** Rows of gray values resized; the expected ones follow by hand from Pillow's formulas. */
  @ParameterizedTest
  @CsvSource({
    "bilinear, 0 100 200 100, 2, 71 143",
    "bilinear, 0 200, 4, 0 50 150 200",
    "bicubic, 0 200, 4, 0 41 159 218",
    "nearest, 10 20 30 40, 2, 20 40",
    "nearest, 10 20, 4, 10 10 20 20"
  })
  void rowsAreResampledAsPillowDoes(String filter, String from, int width, String to) {
    String[] values = from.split(" ");
    int[] rgb = new int[values.length];
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] = Integer.parseInt(values[i]) * 0x010101;
    }
    String json =
        "{\"channels\": \"gray\", \"scale\": 1, \"filter\": \"%s\", \"resize\": {\"width\": %d, \"height\": 1}}"
            .formatted(filter, width);
    float[] found = parse(json).apply("x", pixels(rgb.length, 1, rgb)).values();
    String[] expected = to.split(" ");
    assertEquals(expected.length, found.length);
    for (int i = 0; i < found.length; i++) {
      assertEquals(Float.parseFloat(expected[i]), found[i], filter + " at " + i);
    }
  }

  @Test
  void theShorterSideIsResizedAndTheMiddleCut() {
    int[] rgb = new int[8 * 4];
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] = i * 0x010101;
    }
    Preprocessing preprocessing =
        parse(
            """
            {"resize": {"shorter": 4}, "crop": {"width": 2, "height": 2}, "channels": "gray",
             "scale": 1}\
            """);
    Preprocessing.Planes planes = preprocessing.apply("x", pixels(8, 4, rgb));
    assertEquals("2 x 2", planes.size().toString());
    assertArrayEquals(new float[] {11, 12, 19, 20}, planes.values());
    Preprocessing halved = parse("{\"resize\": {\"shorter\": 2}}");
    assertEquals("4 x 2", halved.apply("x", pixels(8, 4, rgb)).size().toString());
    assertEquals("2 x 4", halved.apply("x", pixels(4, 8, rgb)).size().toString());
  }

  @Test
  void whatIsWrittenReadsBack() {
    Preprocessing preprocessing =
        parse(
            """
            {"resize": {"shorter": 256}, "crop": {"width": 224, "height": 200}, "filter": "bicubic",
             "channels": "bgr", "layout": "nhwc", "scale": 1, "mean": [1, 2, 3], "std": [4, 5, 6]}\
            """);
    assertEquals(preprocessing, parse(PreprocessingJson.write(preprocessing)));
    assertEquals(parse("{}"), parse(PreprocessingJson.write(parse("{}"))));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[]|no JSON object",
        "{|no valid JSON",
        "{\"mean\": [1, 2, 3], \"mean\": [1, 2, 3]}|no valid JSON",
        "{\"means\": [1, 2, 3]}|unknown key \"means\"",
        "{\"mean\": [1, 2]}|\"mean\" is no list of 3",
        "{\"channels\": \"gray\", \"std\": [1, 2, 3]}|\"std\" is no list of 1",
        "{\"std\": [1, 0, 1]}|standard deviation 0",
        "{\"mean\": [1, \"a\", 1]}|\"mean\" is \"a\"",
        "{\"mean\": [1, 1e300, 1]}|mean Infinity",
        "{\"scale\": -1}|scale of -1",
        "{\"channels\": \"cmyk\"}|use one of rgb, bgr, gray",
        "{\"layout\": 1}|\"layout\" is 1",
        "{\"resize\": {\"width\": 8}}|no whole number \"height\"",
        "{\"resize\": {\"width\": 8, \"height\": 0}}|8 x 0",
        "{\"resize\": {\"shorter\": 1000000}}|1000000",
        "{\"resize\": {\"shorter\": 8, \"width\": 8}}|unknown key \"width\"",
        "{\"crop\": 7}|crop is no JSON object"
      })
  void whatCannotBeUnderstoodIsRefusedByName(String json, String mentioned) {
    FormatException refused = assertThrows(FormatException.class, () -> parse(json));
    assertTrue(refused.getMessage().startsWith("image.json"), refused.getMessage());
    assertTrue(refused.getMessage().contains(mentioned), refused.getMessage());
  }
}
