package dev.filigree.benchmarks;

import dev.filigree.DType;
import dev.filigree.Decoder;
import dev.filigree.DecoderOptions;
import dev.filigree.Decoding;
import dev.filigree.Model;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.WeightMatrix;
import dev.filigree.format.container.ContainerWriter;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.format.safetensors.SafetensorsWriter;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/**
 * What memory a decoder takes: writes one with random weights as a {@code .filigree} file, and runs
 * one and compares what is resident with the bytes of its weights.
 *
 * <pre>
 *   DecoderMemory write FOLDER int4|int8
 *   DecoderMemory run FILE.filigree
 * </pre>
 */
public final class DecoderMemory {
  /**
   * Extents of a decoder.
   *
   * @param layers number of layers
   * @param hidden features of a token
   * @param heads of queries
   * @param keyHeads of keys
   * @param wide features within a feed-forward layer
   * @param vocabulary number of tokens
   */
  record Size(int layers, int hidden, int heads, int keyHeads, int wide, int vocabulary) {
    /** 1.06 billion weights. */
    static final Size BILLION = new Size(22, 2048, 32, 8, 5632, 32_000);

    int keys() {
      return hidden / heads * keyHeads;
    }
  }

  /** Codes of four bits that share a scale. */
  private static final int GROUP = 128;

  private static final int PROMPT = 64;
  private static final int WRITTEN = 16;

  private DecoderMemory() {}

  /** See the class. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length == 3 && arguments[0].equals("write")) {
      boolean four = arguments[2].equals("int4");
      System.out.println(write(Path.of(arguments[1]), Size.BILLION, four));
    } else if (arguments.length == 2 && arguments[0].equals("run")) {
      System.out.print(run(Path.of(arguments[1])).report());
    } else {
      System.err.println("usage: DecoderMemory write FOLDER int4|int8, or DecoderMemory run FILE");
      System.exit(2);
    }
  }

  /**
   * Writes a decoder whose words' table is int8 and serves as the last layer too.
   *
   * @param four whether the layers have 4 bits in groups of 128 instead of 8 by row
   * @return the file
   */
  static Path write(Path folder, Size size, boolean four) throws IOException {
    Path checkpoint = folder.resolve("checkpoint");
    Files.createDirectories(checkpoint);
    new Writing(size).checkpoint(checkpoint);
    Path file = folder.resolve(four ? "int4.filigree" : "int8.filigree");
    try (Model model = Model.open(checkpoint)) {
      ContainerWriter writer = model.writer();
      if (four) {
        SplittableRandom random = new SplittableRandom(4);
        for (WeightMatrix matrix : model.matrices()) {
          boolean layer =
              matrix.use() == WeightMatrix.Use.LINEAR && !matrix.constant().contains("embed");
          if (layer) {
            writer.replace(
                matrix.constant(),
                matrix.constant().replaceFirst("\\.weight$", ""),
                packed(matrix.weights().rows(), matrix.weights().columns(), random),
                matrix.transposed());
          }
        }
      }
      writer.write(file);
    }
    try (Stream<Path> files = Files.list(checkpoint)) {
      for (Path each : files.toList()) {
        Files.delete(each);
      }
    }
    Files.delete(checkpoint);
    return file;
  }

  private static Packed packed(int rows, int columns, SplittableRandom random) {
    int[] words = random.ints((long) rows * columns / 8).toArray();
    float[] scales = new float[rows * (columns / GROUP)];
    for (int i = 0; i < scales.length; i++) {
      scales[i] = (float) (0.2 / Math.sqrt(columns) * (0.5 + random.nextDouble()));
    }
    return new Packed(
        rows,
        columns,
        new PackedIntegers(
            4,
            columns,
            GROUP,
            MemorySegment.ofArray(words),
            DType.F16,
            FloatValues.of(DType.F16, scales).data()));
  }

  /** Writes a checkpoint of int8 layers; they share their random bytes, the file does not. */
  private record Writing(Size size) {
    void checkpoint(Path folder) throws IOException {
      SafetensorsWriter tensors = new SafetensorsWriter();
      int most = Math.max(size.vocabulary(), size.wide()) * size.hidden();
      byte[] bytes = new byte[most];
      new SplittableRandom(8).nextBytes(bytes);
      MemorySegment codes = MemorySegment.ofArray(bytes);
      matrix(tensors, "model.embed_tokens", size.vocabulary(), size.hidden(), codes);
      for (int layer = 0; layer < size.layers(); layer++) {
        String name = "model.layers." + layer + ".";
        vector(tensors, name + "input_layernorm.weight");
        matrix(tensors, name + "self_attn.q_proj", size.hidden(), size.hidden(), codes);
        matrix(tensors, name + "self_attn.k_proj", size.keys(), size.hidden(), codes);
        matrix(tensors, name + "self_attn.v_proj", size.keys(), size.hidden(), codes);
        matrix(tensors, name + "self_attn.o_proj", size.hidden(), size.hidden(), codes);
        vector(tensors, name + "post_attention_layernorm.weight");
        matrix(tensors, name + "mlp.gate_proj", size.wide(), size.hidden(), codes);
        matrix(tensors, name + "mlp.up_proj", size.wide(), size.hidden(), codes);
        matrix(tensors, name + "mlp.down_proj", size.hidden(), size.wide(), codes);
      }
      vector(tensors, "model.norm.weight");
      tensors.write(folder.resolve("model.safetensors"));
      Files.writeString(folder.resolve("config.json"), config());
    }

    private void matrix(
        SafetensorsWriter tensors, String name, int out, int in, MemorySegment codes) {
      float[] scales = new float[out];
      Arrays.fill(scales, (float) (0.01 / Math.sqrt(in)));
      Shape shape = Shape.of(out, in);
      tensors.add(name + ".weight", SafetensorsType.I8, shape, codes.asSlice(0, (long) out * in));
      tensors.add(name + ".weight_scale", Tensor.of(scales, out, 1));
    }

    private void vector(SafetensorsWriter tensors, String name) {
      float[] ones = new float[size.hidden()];
      Arrays.fill(ones, 1);
      tensors.add(name, Tensor.of(ones, ones.length));
    }

    private String config() {
      return """
      {"model_type": "llama", "hidden_size": %d, "num_attention_heads": %d,
       "num_key_value_heads": %d, "num_hidden_layers": %d, "intermediate_size": %d,
       "vocab_size": %d, "rms_norm_eps": 1e-5, "max_position_embeddings": 4096,
       "tie_word_embeddings": true,
       "quantization_config": {"quant_method": "compressed-tensors", "format": "int-quantized",
        "config_groups": {"group_0": {"targets": ["Linear"],
         "weights": {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": true}}}}}\
      """
          .formatted(
              size.hidden(),
              size.heads(),
              size.keyHeads(),
              size.layers(),
              size.wide(),
              size.vocabulary());
    }
  }

  /**
   * What a run took.
   *
   * @param weights number of weights
   * @param weightBytes of them in their formats
   * @param packedBytes laid out for kernels beside them
   * @param before bytes resident before the model was opened, -1 where the system does not tell
   * @param after bytes resident after the run
   * @param bytesPerToken of cache
   * @param cacheBytes of the cache's pages
   * @param openMillis to open model and decoder
   * @param promptMillis to read 64 tokens
   * @param tokenMillis to write one, the median
   */
  record Result(
      long weights,
      long weightBytes,
      long packedBytes,
      long before,
      long after,
      double bytesPerToken,
      long cacheBytes,
      double openMillis,
      double promptMillis,
      double tokenMillis) {
    String report() {
      return String.format(
          Locale.ROOT,
          """
          weights            %,d
          bytes of weights   %,d (%.4f a weight)
          laid out anew      %,d bytes
          resident           %,d bytes, %,d before the model was opened
          over the weights   %.1f %% in all, %.1f %% of what the model added
          cache              %,.0f bytes a token, %,d in pages
          opened in          %.0f ms
          %d tokens read in  %.0f ms, then %.1f ms a token (median of %d)
          """,
          weights,
          weightBytes,
          (double) weightBytes / weights,
          packedBytes,
          after,
          before,
          100.0 * after / weightBytes - 100,
          100.0 * (after - before) / weightBytes - 100,
          bytesPerToken,
          cacheBytes,
          openMillis,
          PROMPT,
          promptMillis,
          tokenMillis,
          WRITTEN);
    }
  }

  /** Runs a decoder and measures. */
  static Result run(Path file) throws IOException {
    long before = resident();
    long start = System.nanoTime();
    try (Model model = Model.open(file);
        Decoder decoder = model.decoder(DecoderOptions.defaults().withLongest(512));
        Decoding decoding = decoder.start()) {
      double opened = (System.nanoTime() - start) / 1e6;
      SplittableRandom random = new SplittableRandom(1);
      long[] prompt = random.longs(PROMPT, 0, decoder.vocabulary()).toArray();
      start = System.nanoTime();
      float[] logits = decoding.read(prompt);
      double read = (System.nanoTime() - start) / 1e6;
      double[] millis = new double[WRITTEN];
      for (int i = 0; i < WRITTEN; i++) {
        start = System.nanoTime();
        logits = decoding.read(likeliest(logits));
        millis[i] = (System.nanoTime() - start) / 1e6;
      }
      Arrays.sort(millis);
      long weights =
          model.matrices().stream()
              .filter(matrix -> !matrix.constant().contains(".tied"))
              .mapToLong(matrix -> (long) matrix.weights().rows() * matrix.weights().columns())
              .sum();
      return new Result(
          weights,
          model.weightBytes(),
          decoder.packedBytes(),
          before,
          resident(),
          decoder.bytesPerToken(),
          decoder.cacheBytes(),
          opened,
          read,
          millis[WRITTEN / 2]);
    }
  }

  private static int likeliest(float[] scores) {
    int best = 0;
    for (int i = 1; i < scores.length; i++) {
      best = scores[i] > scores[best] ? i : best;
    }
    return best;
  }

  /** Bytes of this process that are in memory, those of mapped files too. */
  private static long resident() throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.isReadable(status)) {
      return -1;
    }
    try (Stream<String> lines = Files.lines(status)) {
      return lines
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
          .findFirst()
          .orElse(-1);
    }
  }
}
