package dev.filigree.format.container;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.GraphException;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.graph.Constant;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Damaged files either open and can be read, or are refused with a typed error that names them. */
@Timeout(120)
class ContainerFuzzTest {
  private static final Pattern NUMBER = Pattern.compile("\\d+");
  private static final List<String> LIES =
      List.of(
          "0",
          "1",
          "-1",
          "7",
          "255",
          "4294967296",
          "9223372036854775807",
          "9223372036854775808",
          "1e9",
          "0.5",
          "null",
          "[]",
          "\"\"");
  private static final List<String> PIECES =
      List.of(
          "{",
          "}",
          "[",
          "]",
          ",",
          ":",
          "\"",
          "\\u0000",
          "F32",
          "I64",
          "U8",
          "BF16",
          "shape",
          "data_offsets",
          "__metadata__",
          "filigree.version",
          "compressed",
          "bitmask");

  private static final List<byte[]> WHOLE = new ArrayList<>();

  @TempDir Path folder;

  @BeforeAll
  static void writeContainers(@TempDir Path folder) throws IOException {
    for (int seed = 1; seed <= 20; seed++) {
      Path file = folder.resolve(seed + ".filigree");
      Containers.random(new Samples(seed)).writer().metadata("recipe", "any").write(file);
      WHOLE.add(Files.readAllBytes(file));
    }
  }

  @Seeded(250)
  void aDamagedHeaderGivesOnlyTypedErrors(Samples samples) throws IOException {
    byte[] bytes = samples.oneOf(WHOLE);
    int header = 8 + (int) MemorySegment.ofArray(bytes).get(DType.LONG, 0);
    for (int i = samples.between(1, 3); i > 0; i--) {
      bytes =
          switch (samples.between(0, 5)) {
            case 0 -> flipped(samples, bytes, 0, header);
            case 1 -> Arrays.copyOf(bytes, samples.between(0, bytes.length));
            case 2 -> lengthened(samples, bytes);
            case 3, 4 -> withHeader(bytes, samples, ContainerFuzzTest::otherNumber);
            default -> withHeader(bytes, samples, ContainerFuzzTest::otherText);
          };
    }
    opensOrIsRefused(bytes);
  }

  @Seeded(250)
  void damagedContentsGiveOnlyTypedErrors(Samples samples) throws IOException {
    byte[] bytes = samples.oneOf(WHOLE);
    int header = 8 + (int) MemorySegment.ofArray(bytes).get(DType.LONG, 0);
    for (int i = samples.between(1, 4); i > 0; i--) {
      bytes = flipped(samples, bytes, header, bytes.length);
    }
    opensOrIsRefused(bytes);
  }

  private void opensOrIsRefused(byte[] bytes) throws IOException {
    Path file = Files.write(folder.resolve("damaged.filigree"), bytes);
    try (Arena arena = Arena.ofConfined()) {
      SafetensorsFile tensors = SafetensorsFile.map(file, arena);
      long held = tensors.entries().values().stream().mapToLong(e -> e.data().byteSize()).sum();
      assertTrue(held < bytes.length, "tensors of " + held + " bytes in a file of " + bytes.length);
      Container.map(file, arena).graph().constants().values().forEach(Constant::toTensor);
    } catch (GraphException contradiction) {
      // names the node, not the file
      assertTrue(contradiction.problem().contains("'"), contradiction.problem());
    } catch (FiligreeException refusal) {
      assertTrue(refusal.getMessage().contains(file.toString()), refusal.getMessage());
    }
  }

  private static byte[] flipped(Samples samples, byte[] bytes, int from, int to) {
    byte[] changed = bytes.clone();
    int end = Math.min(to, bytes.length);
    if (from < end) {
      changed[samples.between(from, end - 1)] ^= (byte) (1 << samples.between(0, 7));
    }
    return changed;
  }

  private static byte[] lengthened(Samples samples, byte[] bytes) {
    byte[] changed = Arrays.copyOf(bytes, Math.max(8, bytes.length));
    MemorySegment file = MemorySegment.ofArray(changed);
    long length = file.get(DType.LONG, 0);
    long lie =
        samples.chance(0.5)
            ? length + samples.between(-20, 20)
            : samples.oneOf(List.of(0L, -1L, 99_999_999L, Long.MAX_VALUE, length << 32));
    file.set(DType.LONG, 0, lie);
    return changed;
  }

  /** Changes the text of a header. */
  @FunctionalInterface
  private interface Edit {
    String apply(String header, Samples samples);
  }

  /** Edits the header and says its new length, so that the damage is in the text alone. */
  private static byte[] withHeader(byte[] bytes, Samples samples, Edit edit) {
    if (bytes.length < 8) {
      return bytes;
    }
    long length = MemorySegment.ofArray(bytes).get(DType.LONG, 0);
    int end = Math.clamp(8 + length, 8, bytes.length);
    String header = new String(bytes, 8, end - 8, StandardCharsets.ISO_8859_1);
    byte[] edited = edit.apply(header, samples).getBytes(StandardCharsets.ISO_8859_1);
    byte[] changed = new byte[8 + edited.length + bytes.length - end];
    MemorySegment.ofArray(changed).set(DType.LONG, 0, edited.length);
    System.arraycopy(edited, 0, changed, 8, edited.length);
    System.arraycopy(bytes, end, changed, 8 + edited.length, bytes.length - end);
    return changed;
  }

  private static String otherNumber(String header, Samples samples) {
    List<int[]> numbers =
        NUMBER
            .matcher(header)
            .results()
            .map(found -> new int[] {found.start(), found.end()})
            .toList();
    if (numbers.isEmpty()) {
      return header;
    }
    int[] chosen = samples.oneOf(numbers);
    String lie =
        samples.chance(0.3) ? Long.toString(samples.between(0, 1000)) : samples.oneOf(LIES);
    return header.substring(0, chosen[0]) + lie + header.substring(chosen[1]);
  }

  private static String otherText(String header, Samples samples) {
    int from = samples.between(0, header.length());
    int to = samples.between(from, Math.min(header.length(), from + 12));
    return header.substring(0, from) + samples.oneOf(PIECES) + header.substring(to);
  }
}
