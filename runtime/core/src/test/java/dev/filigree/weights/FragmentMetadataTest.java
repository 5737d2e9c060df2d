package dev.filigree.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/** The golden file was made with CUTLASS's own reordering of metadata. */
class FragmentMetadataTest {
  @ParameterizedTest
  @CsvSource({"F16_K32, m16n8k32.f16", "S8_K64, m16n8k64.s8", "TF32_K16, m16n8k16.tf32"})
  void lanesHoldTheWordsThatCutlassGivesThem(FragmentMetadata layout, String instruction)
      throws IOException {
    Map<?, ?> golden = golden(instruction);
    List<String> nibbles =
        ((List<?>) golden.get("logicalNibblesByRow")).stream().map(String.class::cast).toList();
    List<?> steps = (List<?>) golden.get("registerWords");
    for (Object entry : steps) {
      Map<?, ?> step = (Map<?, ?>) entry;
      int firstRow = ((Long) step.get("firstRow")).intValue();
      int firstChunk = ((Long) step.get("kStep")).intValue() * layout.chunksPerStep();
      int[] expected =
          ((List<?>) step.get("lanes"))
              .stream().mapToInt(word -> ((Long) word).intValue()).toArray();
      int[] lanes =
          layout.lanes(
              (row, chunk) ->
                  Character.digit(nibbles.get(firstRow + row).charAt(firstChunk + chunk), 16));
      assertArrayEquals(expected, lanes, "step " + step.get("kStep") + " from row " + firstRow);
      assertEquals(16L * (Long) step.get("mTilesPerWord"), layout.rowsPerWord());
    }
    int rows = nibbles.size() / layout.rowsPerWord();
    assertEquals(rows * nibbles.getFirst().length() / layout.chunksPerStep(), steps.size());
  }

  @ParameterizedTest
  @CsvSource({"F16_K32", "S8_K64", "TF32_K16"})
  void everyNibbleOfAStepHasAPlaceOfItsOwn(FragmentMetadata layout) {
    int places = 0;
    for (int row = 0; row < layout.rowsPerWord(); row++) {
      for (int chunk = 0; chunk < layout.chunksPerStep(); chunk++) {
        int markedRow = row;
        int markedChunk = chunk;
        int[] words = layout.lanes((r, c) -> r == markedRow && c == markedChunk ? 0xf : 0);
        int bits = 0;
        for (int word : words) {
          bits += Integer.bitCount(word);
        }
        assertEquals(4, bits);
        places++;
      }
    }
    // together they fill the register words of a warp
    assertEquals(FragmentMetadata.LANES * 8, places);
  }

  private static Map<?, ?> golden(String instruction) throws IOException {
    try (InputStream file =
            FragmentMetadataTest.class.getResourceAsStream("fragment-metadata.json");
        JsonParser json = new JsonFactory().createParser(ObjectReadContext.empty(), file)) {
      json.nextToken();
      return ((List<?>) value(json))
          .stream()
              .map(entry -> (Map<?, ?>) entry)
              .filter(entry -> entry.get("instruction").equals(instruction))
              .findFirst()
              .orElseThrow();
    }
  }

  private static Object value(JsonParser json) {
    return switch (json.currentToken()) {
      case START_ARRAY -> {
        List<Object> elements = new ArrayList<>();
        while (json.nextToken() != JsonToken.END_ARRAY) {
          elements.add(value(json));
        }
        yield elements;
      }
      case START_OBJECT -> {
        Map<String, Object> members = new LinkedHashMap<>();
        while (json.nextToken() == JsonToken.PROPERTY_NAME) {
          String name = json.currentName();
          json.nextToken();
          members.put(name, value(json));
        }
        yield members;
      }
      case VALUE_NUMBER_INT -> json.getLongValue();
      default -> json.getString();
    };
  }
}
