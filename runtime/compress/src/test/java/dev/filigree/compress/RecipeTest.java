package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RecipeTest {
  /** Every name that can be asked for. */
  static List<String> names() {
    return List.of(
        "dense",
        "fp16",
        "int8",
        "2:4",
        "2:4-fp16",
        "2:4-int8",
        "codebook-4bit",
        "2:4-codebook-4bit",
        "unstructured-50",
        "int4",
        "unstructured-90");
  }

  @Test
  void everyNameThatIsListedExists() {
    for (String name : Recipe.names()) {
      String known = name.replace("NN", "75");
      assertEquals(known, Recipe.named(known).name());
    }
    assertEquals(21, Recipe.names().size());
  }

  @Test
  void aNameSaysStructureAndEncoding() {
    assertTrue(Recipe.named("dense").isEmpty());
    assertEquals(
        List.of(
            new Stage.Prune(Stage.Score.MAGNITUDE, Structure.TWO_OF_FOUR, Targets.LAYERS),
            new Stage.Quantize(8, Targets.LAYERS),
            new Stage.Quantize(8, Targets.EMBEDDING)),
        Recipe.named("2:4-int8").stages());
    assertEquals(
        List.of(
            new Stage.Prune(
                Stage.Score.MAGNITUDE, new Structure.Unstructured(0.7), Targets.LAYERS)),
        Recipe.named("unstructured-70").stages());
  }

  @ParameterizedTest
  @ValueSource(strings = {"2:5", "int 8", "INT8", "", "unstructured-7", "unstructured-100"})
  void anUnknownNameIsRefusedWithTheListOfAll(String name) {
    InputException refused = assertThrows(InputException.class, () -> Recipe.named(name));
    assertEquals("there is no recipe '" + name + "'", refused.problem());
    assertEquals(
        "use one of " + String.join(", ", Recipe.names()) + ", or a recipe file", refused.remedy());
  }

  @Test
  void everyRecipeSurvivesBeingWrittenAndRead() {
    for (String name : names()) {
      Recipe recipe = Recipe.named(name);
      assertEquals(recipe, RecipeJson.parse("test", RecipeJson.write(recipe)));
    }
    Recipe own =
        new Recipe(
            "my \"own\" \u00fc",
            List.of(
                new Stage.Share(
                    2, false, new Targets(List.of("re:.*query", "fc1"), List.of("re:layer\\.0.*"))),
                new Stage.Share(
                    new Encoding.Codes(
                        Encoding.Codes.AUTO, Encoding.Granularity.TENSOR, 0, null, 1, 0.05),
                    false,
                    Stage.Rounding.NEAREST,
                    Targets.LINEAR),
                new Stage.Share(
                    new Encoding.Codes(4, Encoding.Granularity.GROUP, 8, null, 1, Double.NaN),
                    false,
                    Stage.Rounding.NEAREST,
                    new Targets(List.of("fc2"), List.of())),
                new Stage.Convert(DType.BF16, Targets.EMBEDDING)));
    assertEquals(own, RecipeJson.parse("test", RecipeJson.write(own)));
  }

  @Test
  void whatARecipeFileLeavesOutHasADefault() {
    Recipe recipe =
        RecipeJson.parse(
            "r.json",
            """
            {"version": 1, "stages": [{"prune": {}}, {"share": {}}, {"convert": {}},
              {"quantize": {}}, {"prune": {"mask_structure": "unstructured", "sparsity": 0.8}}]}
            """);
    assertEquals(
        new Recipe(
            "r.json",
            List.of(
                new Stage.Prune(Stage.Score.MAGNITUDE, Structure.TWO_OF_FOUR, Targets.LINEAR),
                new Stage.Share(4, true, Targets.LINEAR),
                new Stage.Convert(DType.F16, Targets.LINEAR),
                new Stage.Quantize(8, Targets.LINEAR),
                new Stage.Prune(
                    Stage.Score.MAGNITUDE, new Structure.Unstructured(0.8), Targets.LINEAR))),
        recipe);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "{                                     | r is no valid JSON",
        "{} {}                                 | r is no valid JSON",
        "{\"version\": 1, \"version\": 1}      | r is no valid JSON",
        "[]                                    | r is no JSON object",
        "{\"version\": 2, \"stages\": []}      | r has no \"version\": 1",
        "{\"version\": \"1\", \"stages\": []}  | r has no \"version\": 1",
        "{\"version\": 1}                      | r has no \"version\": 1 or no list",
        "{\"version\": 1, \"stages\": {}}      | r has no \"version\": 1 or no list",
        "{\"version\": 1, \"stage\": []}       | r has the unknown key \"stage\"; known are name",
        "{\"version\": 1, \"name\": 3, \"stages\": []} | r has a \"name\" that is no text",
      })
  void aFileThatIsNoRecipeIsRefusedWithTheReason(String json, String message) {
    FormatException refused =
        assertThrows(FormatException.class, () -> RecipeJson.parse("r", json));
    assertTrue(refused.getMessage().startsWith(message), refused.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "3                                 | r, stage 1 is no object with one key",
        "{\"prune\": {}, \"share\": {}}    | r, stage 1 is no object with one key",
        "{\"prune\": 1}                    | r, stage 1 is no JSON object",
        "{\"shave\": {}}                   | r, stage 1 has the unknown kind 'shave'; use prune,",
        "{\"prune\": {\"sparsty\": 0.5}}   | r, stage 1 has the unknown key \"sparsty\"",
        "{\"prune\": {\"method\": \"obs\"}} | r, stage 1: the method 'obs' is not",
        "{\"prune\": {\"sparsity\": \"a\"}} | r, stage 1 has a \"sparsity\" that is no number",
        "{\"prune\": {\"mask_structure\": \"4:2\"}} | mask_structure 4:2 keeps 4 of every 2",
        "{\"prune\": {\"scope\": \"row\"}} | mask_structure 2:4 has no scope",
        "{\"prune\": {\"refit\": 1}} | r, stage 1 has a \"refit\" that is neither true nor false",
        "{\"prune\": {\"dampening_frac\": 0}} | a dampening_frac of 0.0 is not supported",
        "{\"prune\": {\"method\": \"sparsegpt\", \"mask_structure\": \"block 4x4\", \"sparsity\":"
            + " 0.5}} | sparsegpt chooses",
        "{\"prune\": {\"method\": \"wanda\", \"mask_structure\": \"unstructured\", \"sparsity\":"
            + " 0.5, \"scope\": \"global\"}} | a global threshold",
        "{\"quantize\": {\"bits\": 5}}     | quantisation to 5 bits is not supported",
        "{\"quantize\": {\"method\": \"awq\"}} | r, stage 1: the method 'awq' is not supported",
        "{\"quantize\": {\"actorder\": true}} | actorder is an order of GPTQ's columns",
        "{\"quantize\": {\"observer\": \"max\"}} | r, stage 1: the observer 'max' is not",
        "{\"quantize\": {\"group_size\": 64}} | r, stage 1: the strategy channel with a group",
        "{\"share\": {\"solver\": \"lloyd\"}} | r, stage 1: the solver 'lloyd' is not supported",
        "{\"share\": {\"restarts\": 3}}    | r, stage 1: 3 restarts of the solver exact",
        "{\"share\": {\"weights\": \"all\"}} | r, stage 1: the weights 'all' are not supported",
        "{\"quantize\": {\"bits\": 8.5}}   | r, stage 1 has a \"bits\" that is no whole number",
        "{\"quantize\": {\"strategy\": \"group\"}} | r, stage 1: the strategy group with a group",
        "{\"share\": {\"bits\": 3}}        | codes of 3 bits are not supported",
        "{\"share\": {\"bits\": \"some\"}} | r, stage 1 has a \"bits\" that is no whole number",
        "{\"share\": {\"bits\": \"auto\", \"error\": 0}} | codes of automatic bits with an error"
            + " of",
        "{\"share\": {\"bits\": 4, \"error\": 0.1}} | codes of 4 bits with an error of 0.1",
        "{\"share\": {\"granularity\": \"cell\"}} | r, stage 1: the granularity 'cell' is not",
        "{\"share\": {\"granularity\": \"group\"}} | codebooks of the granularity group with a"
            + " group_size of 0",
        "{\"share\": {\"group_size\": 4}} | codebooks of the granularity row with a group_size of"
            + " 4",
        "{\"convert\": {\"dtype\": \"i8\"}} | r, stage 1 converts to 'i8'",
        "{\"prune\": {\"targets\": \"Linear\"}} | r, stage 1 has a \"targets\" that is no list",
        "{\"prune\": {\"targets\": [1]}}   | r, stage 1 has a \"targets\" that is no text",
        "{\"prune\": {\"ignore\": [\"re:(\"]}} | target 're:(' is no regular expression",
      })
  void aStageThatIsNotUnderstoodIsRefusedWithTheReason(String stage, String message) {
    FiligreeException refused =
        assertThrows(
            FiligreeException.class,
            () -> RecipeJson.parse("r", "{\"version\": 1, \"stages\": [" + stage + "]}"));
    assertTrue(refused.getMessage().startsWith(message), refused.getMessage());
  }

  @Test
  void aRecipeFileIsReadAndAMissingOneRefusedByName(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("recipe.json");
    FormatException missing = assertThrows(FormatException.class, () -> RecipeJson.read(file));
    assertEquals("recipe " + file + " does not exist", missing.problem());
    Files.write(file, new byte[] {(byte) 0xff, (byte) 0xfe});
    FormatException binary = assertThrows(FormatException.class, () -> RecipeJson.read(file));
    assertEquals("recipe " + file + " is no text in UTF-8", binary.problem());
    Files.writeString(file, RecipeJson.write(Recipe.named("2:4")));
    assertEquals(Recipe.named("2:4"), RecipeJson.read(file));
  }
}
