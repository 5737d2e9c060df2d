package dev.filigree.testing;

import dev.filigree.Tensor;
import dev.filigree.format.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Writes checkpoints of small decoders of the Llama class with seeded random weights, and a
 * tokenizer of whole words.
 */
public final class TinyDecoder {
  /** Number of tokens: an unknown word, begin, end, and words {@code w3}, {@code w4}, ... */
  public static final int WORDS = 40;

  private static final int HIDDEN = 32;
  private static final int HEADS = 4;
  private static final int KEY_HEADS = 2;
  private static final int WIDTH = 8;
  private static final int WIDE = 48;
  private static final int LAYERS = 2;

  private final Samples samples;
  private final SafetensorsWriter tensors = new SafetensorsWriter();

  private TinyDecoder(long seed) {
    this.samples = new Samples(seed);
  }

  /**
   * Writes a checkpoint.
   *
   * @param tied whether the table of words serves as the last layer too
   * @param more of the config, begun with a comma, or empty
   * @return the folder
   */
  public static Path write(Path folder, long seed, boolean tied, String more) {
    return write(folder, "llama", seed, tied, more);
  }

  /** Writes a checkpoint of a family whose layers have the tensors of Llama's. */
  public static Path write(Path folder, String family, long seed, boolean tied, String more) {
    try {
      Files.createDirectories(folder);
      new TinyDecoder(seed).tensors(tied).write(folder.resolve("model.safetensors"));
      Files.writeString(folder.resolve("config.json"), config(family, tied, more));
      Files.writeString(folder.resolve("tokenizer.json"), tokenizer());
      return folder;
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private SafetensorsWriter tensors(boolean tied) {
    matrix("model.embed_tokens", WORDS, HIDDEN);
    for (int layer = 0; layer < LAYERS; layer++) {
      String prefix = "model.layers." + layer + ".";
      vector(prefix + "input_layernorm.weight", HIDDEN);
      matrix(prefix + "self_attn.q_proj", HEADS * WIDTH, HIDDEN);
      matrix(prefix + "self_attn.k_proj", KEY_HEADS * WIDTH, HIDDEN);
      matrix(prefix + "self_attn.v_proj", KEY_HEADS * WIDTH, HIDDEN);
      matrix(prefix + "self_attn.o_proj", HIDDEN, HEADS * WIDTH);
      vector(prefix + "post_attention_layernorm.weight", HIDDEN);
      matrix(prefix + "mlp.gate_proj", WIDE, HIDDEN);
      matrix(prefix + "mlp.up_proj", WIDE, HIDDEN);
      matrix(prefix + "mlp.down_proj", HIDDEN, WIDE);
    }
    vector("model.norm.weight", HIDDEN);
    if (!tied) {
      matrix("lm_head", WORDS, HIDDEN);
    }
    return tensors;
  }

  private void matrix(String module, int out, int in) {
    float[] weights = samples.normal(out * in);
    for (int i = 0; i < weights.length; i++) {
      weights[i] *= 0.3f;
    }
    tensors.add(module + ".weight", Tensor.of(weights, out, in));
  }

  private void vector(String name, int extent) {
    float[] values = samples.normal(extent);
    for (int i = 0; i < extent; i++) {
      values[i] = 1 + 0.1f * values[i];
    }
    tensors.add(name, Tensor.of(values, extent));
  }

  private static String config(String family, boolean tied, String more) {
    return """
    {"model_type": "%s", "hidden_size": %d, "num_attention_heads": %d, "num_key_value_heads": %d,
     "num_hidden_layers": %d, "intermediate_size": %d, "rms_norm_eps": 1e-5, "vocab_size": %d,
     "max_position_embeddings": 512, "rope_theta": 10000.0, "tie_word_embeddings": %b,
     "eos_token_id": 2 %s}\
    """
        .formatted(family, HIDDEN, HEADS, KEY_HEADS, LAYERS, WIDE, WORDS, tied, more);
  }

  private static String tokenizer() {
    StringBuilder words = new StringBuilder("\"<unk>\": 0, \"<s>\": 1, \"</s>\": 2");
    for (int i = 3; i < WORDS; i++) {
      words.append(", \"w").append(i).append("\": ").append(i);
    }
    return """
    {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [
      {"id": 1, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
       "normalized": false, "special": true},
      {"id": 2, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
       "normalized": false, "special": true}],
     "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
     "decoder": null,
     "model": {"type": "WordLevel", "vocab": {%s}, "unk_token": "<unk>"}}\
    """
        .formatted(words);
  }
}
