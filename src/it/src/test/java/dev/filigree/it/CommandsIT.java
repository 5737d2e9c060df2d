package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Every command, from a model to a compressed file and what is done with it. */
class CommandsIT {
  private final Product product = Product.get();

  @Test
  void aCompressedFileIsRunInspectedAndExplained() throws IOException {
    Path folder = product.folder("compressed Dateien 漢");
    String file = folder.resolve("mini für.filigree").toString();
    JsonNode compress =
        product.run("compress", "minilm", "--recipe", "2:4-int8", "-o", file, "--json").json();
    assertEquals(file, compress.get("output").asString());
    assertEquals("2:4-int8", compress.get("recipe").asString());
    assertEquals(Files.size(Path.of(file)), compress.get("bytesAfter").asLong());
    assertEquals(Files.size(product.model()), compress.get("bytesBefore").asLong());
    assertEquals(39, compress.get("layers").size());

    Path texts =
        Files.writeString(
            folder.resolve("sätze.txt"), Product.EATING + "\n" + Product.BREAD + "\nÜber 漢字\n");
    JsonNode run = product.run("run", file, "--text-file", texts.toString(), "--json").json();
    assertEquals("2:4-int8", run.get("recipe").asString());
    assertEquals("Über 漢字", run.get("inputs").get(2).asString());
    assertEquals(3, run.get("cosine").size());

    JsonNode inspect = product.run("inspect", file, "--json").json();
    long sparse =
        inspect
            .get("tensors")
            .valueStream()
            .filter(tensor -> tensor.get("format").asString().startsWith("2:4"))
            .peek(tensor -> assertEquals("in", tensor.get("axis").asString()))
            .count();
    assertEquals(36, sparse);

    JsonNode explain = product.run("explain", file, "--no-measure", "--json").json();
    long linear =
        explain
            .get("layers")
            .valueStream()
            .filter(layer -> layer.get("format").asString().startsWith("2:4"))
            .count();
    assertEquals(36, linear);
  }

  @Test
  void tensorsGoInAndOutAsNumpyFiles() throws IOException {
    Path folder = product.folder("tensors");
    long[] ids = {101, 1037, 2158, 2003, 5983, 2833, 1012, 102};
    long[] ones = {1, 1, 1, 1, 1, 1, 1, 1};
    JsonNode output =
        product
            .run(
                "run",
                "minilm",
                "--input",
                "input_ids=" + npy(folder.resolve("ids.npy"), ids),
                "--input",
                "attention_mask=" + npy(folder.resolve("mask.npy"), ones),
                "--input",
                "token_type_ids=" + npy(folder.resolve("types.npy"), new long[8]),
                "--output-dir",
                folder.toString(),
                "--json")
            .json()
            .get("outputs")
            .get(0);
    Path file = Path.of(output.get("file").asString());
    assertEquals(folder.resolve("last_hidden_state.npy"), file);
    byte[] bytes = Files.readAllBytes(file);
    int header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getShort(8);
    String dictionary = new String(bytes, 10, header, StandardCharsets.US_ASCII);
    assertTrue(dictionary.contains("'descr': '<f4'"), dictionary);
    assertTrue(dictionary.contains("(1, 8, 384,)"), dictionary);
    assertEquals(10 + header + 8 * 384 * 4, bytes.length);
    // the average of the tokens is the embedding of the sentence these ids mean
    float[] average = new float[384];
    ByteBuffer data =
        ByteBuffer.wrap(bytes, 10 + header, 8 * 384 * 4).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 8 * 384; i++) {
      average[i % 384] += data.getFloat();
    }
    double length = 0;
    for (float value : average) {
      length += (double) value * value;
    }
    JsonNode expected = product.firstStarts().getFirst().json().get("embeddings").get(0);
    float[] embedding = new float[384];
    for (int i = 0; i < 384; i++) {
      embedding[i] = (float) expected.get(i).asDouble();
      average[i] /= (float) Math.sqrt(length);
    }
    assertArrayEquals(embedding, average, 1e-5f);
  }

  private static Path npy(Path file, long[] values) throws IOException {
    String dictionary =
        "{'descr': '<i8', 'fortran_order': False, 'shape': (1, " + values.length + "), }\n";
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0});
    bytes.writeBytes(new byte[] {(byte) dictionary.length(), 0});
    bytes.writeBytes(dictionary.getBytes(StandardCharsets.US_ASCII));
    ByteBuffer data = ByteBuffer.allocate(values.length * 8).order(ByteOrder.LITTLE_ENDIAN);
    for (long value : values) {
      data.putLong(value);
    }
    bytes.writeBytes(data.array());
    return Files.write(file, bytes.toByteArray());
  }

  @Test
  void benchMeasuresTheDenseModelBesideTheRecipe() {
    JsonNode results =
        product
            .run("bench", "minilm", "--recipe", "2:4", "--length", "16", "--runs", "5", "--json")
            .json()
            .get("results");
    assertEquals(2, results.size());
    assertEquals("dense", results.get(0).get("recipe").asString());
    assertEquals("2:4", results.get(1).get("recipe").asString());
    results.forEach(result -> assertEquals(5, result.get("runs").asInt()));
  }
}
