package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.FormatException;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.format.onnx.OnnxReader;
import dev.filigree.format.onnx.OnnxWriter;
import dev.filigree.format.safetensors.SafetensorsWriter;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.testing.Floats;
import dev.filigree.testing.MiniLm;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Folders as a whole: shards, damaged files, and a real model. */
class CheckpointTest {
  private static final String CONFIG =
      """
      {"model_type": "bert", "hidden_size": 384, "num_attention_heads": 12, "num_hidden_layers": 6,
       "intermediate_size": 1536, "layer_norm_eps": 1e-12, "vocab_size": 30522,
       "max_position_embeddings": 512, "type_vocab_size": 2, "hidden_act": "gelu"}\
      """;

  @TempDir private Path folder;

  /** MiniLM as a checkpoint: the constants of its ONNX file under the names of the family. */
  private static void writeMiniLm(Path folder, int shards) throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    try (Arena arena = Arena.ofConfined();
        Model model = Model.open(MiniLm.dense())) {
      Graph original = OnnxReader.read(MiniLm.dense(), arena);
      original
          .constants()
          .forEach(
              (name, constant) -> {
                if (name.startsWith("embeddings.") || name.startsWith("encoder.")) {
                  tensors.put(name, constant.toTensor());
                }
              });
      model
          .matrices()
          .forEach(
              matrix ->
                  tensors.put(
                      matrix.name() + ".weight",
                      Tensor.of(
                          matrix.weights().unpack(),
                          matrix.weights().rows(),
                          matrix.weights().columns())));
      Files.createDirectories(folder);
      Files.writeString(folder.resolve("config.json"), CONFIG);
      write(folder, tensors, shards);
    }
  }

  private static void write(Path folder, Map<String, Tensor> tensors, int shards)
      throws IOException {
    if (shards == 1) {
      SafetensorsWriter writer = new SafetensorsWriter();
      tensors.forEach(writer::add);
      writer.write(folder.resolve("model.safetensors"));
      return;
    }
    SafetensorsWriter[] writers = new SafetensorsWriter[shards];
    StringBuilder index = new StringBuilder("{\"metadata\": {}, \"weight_map\": {");
    int next = 0;
    for (Map.Entry<String, Tensor> tensor : tensors.entrySet()) {
      int shard = next++ % shards;
      writers[shard] = writers[shard] == null ? new SafetensorsWriter() : writers[shard];
      writers[shard].add(tensor.getKey(), tensor.getValue());
      index
          .append(next == 1 ? "" : ", ")
          .append('"')
          .append(tensor.getKey())
          .append("\": \"shard-")
          .append(shard)
          .append(".safetensors\"");
    }
    Files.writeString(folder.resolve("model.safetensors.index.json"), index + "}}");
    for (int shard = 0; shard < shards; shard++) {
      writers[shard].write(folder.resolve("shard-" + shard + ".safetensors"));
    }
  }

  private static float[] states(Path path) {
    long[] ids = {101, 1037, 2158, 2003, 5983, 2833, 1012, 102};
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put("input_ids", Tensor.of(ids, 1, ids.length));
    inputs.put("attention_mask", Tensor.of(new long[] {1, 1, 1, 1, 1, 1, 1, 1}, 1, ids.length));
    inputs.put("token_type_ids", Tensor.of(new long[ids.length], 1, ids.length));
    try (Model model = Model.open(path);
        Session session = model.session(SessionOptions.defaults())) {
      return session.run(inputs).get("last_hidden_state").toFloats();
    }
  }

  @Test
  void miniLmFromShardsComputesWhatItsOnnxFileDoes() throws IOException {
    writeMiniLm(folder, 3);
    float[] expected = states(MiniLm.dense());
    float[] found = states(folder);
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], found[i], 2e-5, "value " + i);
    }
    // and again as a container and as an ONNX file written from it
    Path container = folder.resolve("copy.filigree");
    Path onnx = folder.resolve("copy.onnx");
    try (Model model = Model.open(folder)) {
      assertEquals("bert", model.metadata().get(Checkpoint.FAMILY));
      model.writer().write(container);
      try (Arena arena = Arena.ofConfined()) {
        OnnxWriter.write(Checkpoint.open(folder, arena).graph(), onnx);
      }
    }
    Floats.assertSameBits(found, states(container));
    Floats.assertSameBits(found, states(onnx));
  }

  @Test
  void aShardMustLieInTheFolder() throws IOException {
    Files.writeString(folder.resolve("config.json"), CONFIG);
    for (String place :
        new String[] {"../x.safetensors", "/etc/passwd", "a/b", "..", "", "\\u0000"}) {
      Files.writeString(
          folder.resolve("model.safetensors.index.json"),
          "{\"weight_map\": {\"a\": \"" + place + "\"}}");
      FormatException refused =
          assertThrows(FormatException.class, () -> Model.open(folder), place);
      assertTrue(
          refused.getMessage().contains("no file of its folder")
              || refused.getMessage().contains("is a folder"),
          refused.getMessage());
    }
  }

  @Test
  void aFolderWithoutItsFilesSaysWhatItNeeds() {
    FormatException refused = assertThrows(FormatException.class, () -> Model.open(folder));
    assertTrue(refused.getMessage().contains("config.json"), refused.getMessage());
    assertTrue(refused.getMessage().contains(folder.toString()), refused.getMessage());
  }

  @Test
  void aHostilePatternEnds() throws IOException {
    String config =
        CheckpointFolder.compressedTensors("pack-quantized", "{\"num_bits\": 4}")
            .replace("\"Linear\"", "\"re:(.*a){20}c\"");
    FormatException refused =
        assertThrows(
            FormatException.class,
            () -> {
              try (Arena arena = Arena.ofConfined()) {
                new CheckpointFolder(folder)
                    .config(config)
                    .ints(
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab.weight_packed", new int[1], 1, 1)
                    .weights(arena, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 1, 8);
              }
            });
    assertTrue(refused.getMessage().contains("does not end"), refused.getMessage());
  }

  /** Any damage to the small files is a typed error or harmless, never anything else. */
  @Seeded(60)
  void damagedFilesGiveTypedErrors(Samples samples) throws IOException {
    Path damaged = folder.resolve(samples.toString());
    CheckpointFolder checkpoint =
        new CheckpointFolder(damaged)
            .config(
                CheckpointFolder.compressedTensors(
                    "pack-quantized",
                    "{\"num_bits\": 4, \"strategy\": \"group\", \"group_size\": 8}"))
            .ints("embeddings.word_embeddings.weight_packed", new int[4], 2, 2)
            .longs("embeddings.word_embeddings.weight_shape", new long[] {2, 16}, 2)
            .floats("embeddings.word_embeddings.weight_scale", new float[4], 2, 2);
    checkpoint.write();
    Path file = damaged.resolve(samples.chance(0.5) ? "config.json" : "model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    for (int i = samples.between(1, 4); i > 0; i--) {
      bytes[samples.between(0, Math.min(bytes.length, 700) - 1)] = samples.bytes(1)[0];
    }
    Files.write(file, bytes);
    try (Arena arena = Arena.ofConfined()) {
      Checkpoint.open(damaged, arena);
    } catch (FiligreeException typed) {
      assertTrue(typed.getMessage().length() < 2000, typed.getMessage());
    }
  }

  @Test
  void writtenOnnxGraphsReadBackEqual() throws IOException {
    writeMiniLm(folder, 1);
    try (Arena arena = Arena.ofConfined()) {
      Graph graph = Checkpoint.open(folder, arena).graph();
      Path file = folder.resolve("m.onnx");
      OnnxWriter.write(graph, file);
      Graph read = OnnxReader.read(file, arena);
      assertEquals(graph.inputs(), read.inputs());
      assertEquals(graph.outputs(), read.outputs());
      assertEquals(graph.nodes().size(), read.nodes().size());
      for (int i = 0; i < graph.nodes().size(); i++) {
        assertEquals(graph.nodes().get(i), read.nodes().get(i));
      }
      assertEquals(graph.constants().keySet(), read.constants().keySet());
      for (Map.Entry<String, Constant> constant : graph.constants().entrySet()) {
        Tensor expected = constant.getValue().toTensor();
        Tensor found = read.constants().get(constant.getKey()).toTensor();
        assertEquals(expected.toString(), found.toString());
        assertArrayEquals(
            expected.contiguous().data().asSlice(0, expected.bytes()).toArray(DType.BYTE),
            found.data().toArray(DType.BYTE));
      }
      assertEquals(
          Shape.of(384), graph.constants().get("embeddings.LayerNorm.bias").type().shape());
    }
  }
}
