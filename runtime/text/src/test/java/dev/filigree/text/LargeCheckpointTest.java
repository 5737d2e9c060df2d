package dev.filigree.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.filigree.DType;
import dev.filigree.Model;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.StringJoiner;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A checkpoint larger than the JVM's memory; its file is one hole, which takes no disk. */
final class LargeCheckpointTest {
  private static final int HIDDEN = 2560;
  private static final int WIDE = 6912;
  private static final int WORDS = 32_000;
  private static final int LAYERS = 32;

  /** What opening may take of the heap. */
  private static final long MOST = 200_000_000;

  private final StringJoiner header = new StringJoiner(",", "{", "}");
  private long bytes;

  @TempDir private Path folder;

  private void tensor(String name, long... extents) {
    StringJoiner shape = new StringJoiner(",", "[", "]");
    long elements = 1;
    for (long extent : extents) {
      shape.add(Long.toString(extent));
      elements *= extent;
    }
    long end = bytes + elements * DType.BF16.bytes();
    header.add(
        "\"%s\":{\"dtype\":\"BF16\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
            .formatted(name, shape, bytes, end));
    bytes = end;
  }

  private void write() throws IOException {
    tensor("model.embed_tokens.weight", WORDS, HIDDEN);
    for (int layer = 0; layer < LAYERS; layer++) {
      String prefix = "model.layers." + layer;
      for (String projection : new String[] {"q", "k", "v", "o"}) {
        tensor(prefix + ".self_attn." + projection + "_proj.weight", HIDDEN, HIDDEN);
      }
      tensor(prefix + ".mlp.gate_proj.weight", WIDE, HIDDEN);
      tensor(prefix + ".mlp.up_proj.weight", WIDE, HIDDEN);
      tensor(prefix + ".mlp.down_proj.weight", HIDDEN, WIDE);
      tensor(prefix + ".input_layernorm.weight", HIDDEN);
      tensor(prefix + ".post_attention_layernorm.weight", HIDDEN);
    }
    tensor("model.norm.weight", HIDDEN);
    tensor("lm_head.weight", WORDS, HIDDEN);
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    Path file = folder.resolve("model.safetensors");
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.write(
          ByteBuffer.allocate(Long.BYTES)
              .order(ByteOrder.LITTLE_ENDIAN)
              .putLong(json.length)
              .array());
      out.write(json);
      out.setLength(Long.BYTES + json.length + bytes);
    }
    Files.writeString(
        folder.resolve("config.json"),
        """
        {"model_type": "llama", "hidden_size": %d, "intermediate_size": %d, "vocab_size": %d,
         "num_hidden_layers": %d, "num_attention_heads": 20, "num_key_value_heads": 20,
         "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": false}
        """
            .formatted(HIDDEN, WIDE, WORDS, LAYERS));
  }

  @Test
  void aCheckpointOfFiveGigabytesIsMappedAndNotRead() throws IOException {
    write();
    assertTrue(bytes > 5_000_000_000L, "the checkpoint has " + bytes + " bytes");
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    try (Model model = Model.open(folder)) {
      // what is allocated bounds what is in use at any time
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;
      assertTrue(allocated < MOST, "opening allocated " + allocated + " bytes");
      long weights = model.weightBytes();
      assertEquals(bytes, weights, 1_000_000, "bytes of weights");
    }
  }
}
