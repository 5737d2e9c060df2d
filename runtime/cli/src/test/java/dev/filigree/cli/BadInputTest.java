package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is wrong is refused with a message, and leaves nothing behind. */
class BadInputTest {
  @TempDir Path folder;
  private Path model;

  @BeforeEach
  void aModel() throws IOException {
    model = TinyOnnx.write(folder.resolve("tiny.onnx"));
  }

  private List<String> files() {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  /** Runs a command that must fail, with every part in its message and no file more than before. */
  private void refuses(int code, List<?> parts, Object... arguments) {
    List<String> before = files();
    Cli.Result result = Cli.run(arguments).failsWith(code);
    for (Object part : parts) {
      assertTrue(result.err().contains(part.toString()), "no '" + part + "' in " + result.err());
    }
    assertEquals(before, files());
  }

  private Path npy(String name, long... extents) {
    Path file = folder.resolve(name);
    long elements = Arrays.stream(extents).reduce(1, (a, b) -> a * b);
    Npy.write(file, Tensor.of(new float[(int) elements], extents));
    return file;
  }

  @ParameterizedTest
  @ValueSource(strings = {"inspect", "explain", "compress", "bench"})
  void everyCommandRefusesWhatIsNoModel(String command) throws IOException {
    refuses(1, List.of("nothing.onnx", "does not exist", "minilm"), command, "nothing.onnx");
    Path empty = Files.createFile(folder.resolve("empty.onnx"));
    refuses(1, List.of(empty, "empty"), command, empty);
    Path directory = Files.createDirectory(folder.resolve("folder.onnx"));
    refuses(1, List.of(directory, "folder"), command, directory);
    Path text = Files.writeString(folder.resolve("model.txt"), "text");
    refuses(1, List.of(text, ".onnx"), command, text);
  }

  @Test
  void truncatedModelsAreRefusedWhereverTheyEnd() throws IOException {
    byte[] bytes = Files.readAllBytes(model);
    Path file = folder.resolve("truncated.onnx");
    for (int length = 1; length < bytes.length; length += 7) {
      Files.write(file, Arrays.copyOf(bytes, length));
      refuses(1, List.of(file), "inspect", file);
    }
  }

  @Test
  void randomBytesAreRefused() throws IOException {
    Random random = new Random(1);
    for (String ending : List.of(".onnx", ".filigree", ".safetensors")) {
      for (int i = 0; i < 50; i++) {
        byte[] bytes = new byte[1 + random.nextInt(400)];
        random.nextBytes(bytes);
        Path file = Files.write(folder.resolve("random" + ending), bytes);
        refuses(1, List.of(file), "inspect", file);
      }
    }
  }

  @Test
  void containersWithLyingHeadersAreRefused() throws IOException {
    Path good = folder.resolve("good.filigree");
    assertEquals(0, Cli.run("compress", model, "--recipe", "2:4", "-o", good).code());
    byte[] bytes = Files.readAllBytes(good);
    int header = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    Path bad = folder.resolve("bad.filigree");
    for (long length : new long[] {0, header - 1, header + 8, bytes.length, Long.MAX_VALUE, -1}) {
      byte[] changed = bytes.clone();
      ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
      Files.write(bad, changed);
      refuses(1, List.of(bad), "inspect", bad);
    }
    Files.write(bad, Arrays.copyOf(bytes, bytes.length - 1));
    refuses(1, List.of(bad), "inspect", bad);
    Files.write(bad, Arrays.copyOf(bytes, bytes.length + 1));
    refuses(1, List.of(bad), "inspect", bad);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "run      | --threads 0      | --threads",
        "run      | --threads -3     | --threads",
        "run      | --threads x      | --threads",
        "run      | --device tpu     | 'tpu' is no device",
        "run      | --recipe half    | there is no recipe 'half'",
        "run      | --recipe no.json | recipe no.json does not exist",
        "explain  | --recipe int4-gptq | learns from samples: apply it with 'filigree compress",
        "bench    | --recipe 2:4-distilled | learns from samples: apply it with",
        "run      | --frobnicate     | --frobnicate",
        "compress | --threads 0      | --threads",
        "compress | --recipe 3:4     | there is no recipe '3:4'",
        "compress | --device cuda    | --device cuda:0",
        "explain  | --batch 0        | --batch is 0",
        "explain  | --length -1      | --length is -1",
        "explain  | --shape x=1:2    | --shape",
        "explain  | --shape z=1x8    | the model has no such input; it takes [x: f32[batch, 8]]",
        "explain  | --length 5       | --length is 5, but the model or --shape fixes it at 8",
        "run      | --input x        | '--input' should be NAME=FILE.npy but was 'x'",
        "run      | --input x=       | '--input' should be NAME=FILE.npy but was 'x='",
        "run      | --input =x.npy   | '--input' should be NAME=FILE.npy but was '=x.npy'",
        "run      | --input          | '--input' should be NAME=FILE.npy but was ''",
        "bench    | --shape --batch=4 | '--shape' should be NAME=AxB but was '--batch=4'",
        "run      | --input --top=3  | '--input' should be NAME=FILE.npy but was '--top=3'",
        "run      | --input x=a.npy --input x=b.npy  | '--input' names 'x' twice",
        "compress | --calibration-input x=a --calibration-input x=a | names 'x' twice",
        "bench    | --shape z=1x8    | --shape z: the model has no such input",
        "bench    | --shape x=2x8 --batch 3 | --batch is 3, but the model or --shape fixes it at 2",
        "bench    | --recipe 2:4-int8 --length 5 | --length is 5, but the model or --shape fixes",
        "bench    | --runs 0         | --runs is 0",
        "bench    | --seconds 0      | --seconds is 0",
        "bench    | --batch 1,0      | --batch is 0",
        "bench    | --threads 1,0    | --threads",
        "serve    | --port 70000     | --port is 70000",
        "serve    | --max-batch 0    | --max-batch is 0",
        "serve    | --max-queue 0    | --max-queue is 0",
        "serve    | --max-delay-micros -1 | --max-delay-micros",
        "serve    | --max-body-mb 0  | --max-body-mb is 0",
        "serve    | --deadline 0     | --deadline is 0",
        "serve    | --memory-mb 0    | --memory-mb is 0",
        "serve    | --tls-cert c.pem | --tls-key is missing",
      })
  void wrongOptionsAreNamedBeforeAnyWorkIsDone(String command, String options, String message) {
    Object[] arguments =
        Stream.concat(Stream.of(command, model), Arrays.stream(options.split(" "))).toArray();
    refuses(2, List.of(message), arguments);
  }

  @Test
  void missingDevicesSayWhyAndWhatHelps() {
    Path x = npy("x.npy", 1, 8);
    refuses(
        1,
        List.of("device cuda:77 is not available"),
        List.of("run", model, "--input", "x=" + x, "--device", "cuda:77").toArray());
    refuses(
        1,
        List.of("no kernels named 'magic'", "scalar"),
        "run",
        model,
        "--input",
        "x=" + x,
        "--kernels",
        "magic");
  }

  @Test
  void wrongInputsAreNamedWithWhatTheModelTakes() throws IOException {
    Path x = npy("x.npy", 2, 8);
    refuses(2, List.of("--text", "--input"), "run", model);
    refuses(1, List.of("'x' is missing"), "run", model, "--input", "z=" + x);
    refuses(
        1,
        List.of("no input named z", "z"),
        "run",
        model,
        "--input",
        "x=" + x,
        "--input",
        "z=" + x);
    Path wide = npy("wide.npy", 2, 9);
    refuses(1, List.of("'x'", "[2, 9]", "8"), "run", model, "--input", "x=" + wide);
    Path flat = npy("flat.npy", 8);
    refuses(1, List.of("'x'", "[8]"), "run", model, "--input", "x=" + flat);
    Path ids = folder.resolve("ids.npy");
    Npy.write(ids, Tensor.of(new long[16], 2, 8));
    refuses(1, List.of("'x'", "i64", "elements to f32"), "run", model, "--input", "x=" + ids);
    Path broken = Files.writeString(folder.resolve("broken.npy"), "no array, but some text");
    refuses(1, List.of(broken, "numpy.save"), "run", model, "--input", "x=" + broken);
    refuses(1, List.of("gone.npy"), "run", model, "--input", "x=gone.npy");
  }

  @Test
  void aModelOfTensorsTakesNoTexts() {
    refuses(1, List.of(model, "is no text encoder", "--input"), "run", model, "--text", "a");
  }

  @Test
  void wrongTextsAreNamed() throws IOException {
    refuses(2, List.of("--text number 2", "empty"), "run", "minilm", "--text", "a", "--text", " ");
    refuses(2, List.of("gone.txt", "does not exist"), "run", "minilm", "--text-file", "gone.txt");
    refuses(2, List.of(folder, "cannot be read"), "run", "minilm", "--text-file", folder);
    Path blank = Files.writeString(folder.resolve("blank.txt"), "\n  \n");
    refuses(2, List.of(blank, "holds no text"), "run", "minilm", "--text-file", blank);
    Path latin = Files.write(folder.resolve("latin.txt"), new byte[] {'a', (byte) 0xe4, 'b'});
    refuses(2, List.of(latin, "UTF-8"), "run", "minilm", "--text-file", latin);
    String endless = "word ".repeat(600);
    refuses(
        1,
        List.of("text 2 has", "512", "--truncate"),
        "run",
        "minilm",
        "--text",
        "a",
        "--text",
        endless);
  }

  @Test
  void outputsThatCannotBeWrittenAreRefusedBeforeTheWork() throws IOException {
    Path x = npy("x.npy", 1, 8);
    Path file = Files.writeString(folder.resolve("file"), "text");
    for (Path bad : List.of(folder.resolve("gone/deep"), file)) {
      refuses(2, List.of(bad), "compress", model, "-o", bad.resolve("out.filigree"));
    }
    for (Path bad : List.of(file, file.resolve("deep/below"))) {
      refuses(2, List.of(file), "run", model, "--input", "x=" + x, "--output-dir", bad);
      refuses(2, List.of(file), "report", model, "--input", "x=" + x, "--output-dir", bad);
    }
    Path directory = Files.createDirectory(folder.resolve("folder.filigree"));
    refuses(2, List.of(directory, "folder"), "compress", model, "-o", directory);
    refuses(2, List.of("out.onnx", ".filigree"), "compress", model, "-o", "out.onnx");
  }

  @Test
  void whatIsReadIsNotOverwrittenUnderAnyName() throws IOException {
    Path packed = folder.resolve("packed.filigree");
    assertEquals(0, Cli.run("compress", model, "--recipe", "2:4", "-o", packed).code());
    byte[] before = Files.readAllBytes(packed);
    Path link = Files.createSymbolicLink(folder.resolve("link.filigree"), packed);
    Path hard = Files.createLink(folder.resolve("hard.filigree"), packed);
    Path detour = folder.resolve("..").resolve(folder.getFileName()).resolve("packed.filigree");
    for (Path same : List.of(packed, link, hard, detour)) {
      refuses(2, List.of("TARGET " + same, "name another"), "convert", packed, same);
      refuses(2, List.of("--output " + same), "compress", packed, "--recipe", "int8", "-o", same);
      refuses(2, List.of("--profile " + same), "bench", packed, "--profile", same);
    }
    assertArrayEquals(before, Files.readAllBytes(packed));
    refuses(2, List.of("TARGET " + model), "convert", model, model);
    Path checkpoint = folder.resolve("checkpoint");
    assertEquals(0, Cli.run("convert", model, checkpoint).code());
    Path tensors = checkpoint.resolve("model.safetensors");
    byte[] written = Files.readAllBytes(tensors);
    refuses(2, List.of("TARGET " + checkpoint), "convert", checkpoint, checkpoint);
    refuses(2, List.of("TARGET " + checkpoint), "convert", tensors, checkpoint);
    assertArrayEquals(written, Files.readAllBytes(tensors));
  }

  @Test
  void aSearchDoesNotOverwriteTheRecipesItChoosesFrom() throws IOException {
    String text = "{\"version\":1,\"name\":\"r\",\"stages\":[]}";
    Path recipe = Files.writeString(folder.resolve("recipe.json"), text);
    Path x = npy("x.npy", 12, 8);
    refuses(
        2,
        List.of("--output " + recipe, "is what is read"),
        "search",
        model,
        "--budget",
        "bytes=1kB",
        "--option",
        recipe,
        "--input",
        "x=" + x,
        "-o",
        recipe);
    assertEquals(text, Files.readString(recipe));
  }

  @Test
  void aModelWithoutInputsTakesNoArraysToLearnFrom() throws IOException {
    Path source =
        new OnnxModel(13)
            .initializer("a", Tensor.of(new Samples(1).normal(64), 8, 8))
            .node("Neg", "x", "a")
            .initializer("w", Tensor.of(new Samples(2).normal(64), 8, 8))
            .node("MatMul", "y", "x", "w")
            .output("y", DType.F32, "8", "8")
            .write(folder.resolve("source.onnx"));
    refuses(
        2,
        List.of("--calibration-input", "the model takes no inputs"),
        "compress",
        source,
        "--recipe",
        "2:4-sparsegpt",
        "--calibration-input",
        "x=" + npy("x.npy", 4, 8),
        "-o",
        folder.resolve("out.filigree"));
  }

  @Test
  void aFailedCompressionLeavesTheOlderFile() throws IOException {
    Path out = folder.resolve("out.filigree");
    assertEquals(0, Cli.run("compress", model, "-o", out).code());
    byte[] before = Files.readAllBytes(out);
    Path recipe =
        Files.writeString(
            folder.resolve("r.json"),
            "{\"version\":1,\"name\":\"r\",\"stages\":[{\"prune\":{\"method\":\"luck\"}}]}");
    refuses(2, List.of(recipe), "compress", model, "--recipe", recipe, "-o", out);
    Path broken = Files.writeString(folder.resolve("b.onnx"), "broken");
    refuses(1, List.of(broken), "compress", broken, "-o", out);
    assertArrayEquals(before, Files.readAllBytes(out));
  }

  @Test
  void aServerThatCannotBeIsNotStarted() throws IOException {
    refuses(Main.FAILED, List.of("none.onnx"), "serve", folder.resolve("none.onnx"));
    refuses(
        Main.FAILED,
        List.of("none.token", "cannot be read"),
        "serve",
        model,
        "--token-file",
        folder.resolve("none.token"));
    Path token = Files.writeString(folder.resolve("token"), "guessable");
    Cli.Result refused = Cli.run("serve", model, "--token-file", token).failsWith(Main.MISUSED);
    assertTrue(refused.err().contains("openssl rand"), refused.err());
    assertFalse(refused.err().contains("guessable"), refused.err());
    refuses(
        Main.FAILED,
        List.of("none.pem"),
        "serve",
        model,
        "--tls-cert",
        folder.resolve("none.pem"),
        "--tls-key",
        folder.resolve("none.pem"));
    refuses(Main.MISUSED, List.of("'tiny'", "NAME="), "serve", model, model);
    refuses(Main.FAILED, List.of("no name"), "serve", "a b=" + model);
    refuses(
        Main.FAILED, List.of("cannot listen", "192.0.2.1"), "serve", model, "--host", "192.0.2.1");
  }

  @Test
  void aProfileThatCannotBeWrittenStopsTheBenchmarkFirst() {
    refuses(
        Main.MISUSED,
        List.of("--profile"),
        "bench",
        model,
        "--profile",
        folder.resolve("none/trace.json"));
  }
}
