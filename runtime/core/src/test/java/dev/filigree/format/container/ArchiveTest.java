package dev.filigree.format.container;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.FormatException;
import dev.filigree.GraphException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.format.MappedFile;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.format.safetensors.SafetensorsWriter;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ArchiveTest {
  @TempDir Path folder;

  /** A layer of skewed codes, which an archive makes shorter, and whatever else. */
  private static Containers model(Samples samples) {
    Containers random = Containers.random(samples);
    byte[] codes = new byte[64 * 96];
    float[] normal = samples.normal(codes.length);
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) Math.clamp(Math.round(8 + 2 * normal[i]), 0, 15);
    }
    random.layers().put("coded", new Codebook(64, 96, CodeValues.of(4, codes, samples.normal(16))));
    random.transposed().put("coded", samples.chance(0.5));
    random.plain().put("floats", Tensor.of(samples.normal(3000), 3, 1000));
    return random;
  }

  @Seeded(30)
  void anArchiveHoldsThePlainFileByteForByte(Samples samples) throws IOException {
    Containers model = model(samples);
    Path plain = folder.resolve("plain.filigree");
    Path archive = folder.resolve("archive.filigree");
    model.writer().write(plain);
    model.writer().archive(true).write(archive);
    assertTrue(Files.size(archive) < Files.size(plain));
    try (Arena arena = Arena.ofShared()) {
      SafetensorsFile wanted = SafetensorsFile.map(plain, arena);
      SafetensorsFile found = Archive.unpack(SafetensorsFile.map(archive, arena), arena);
      assertEquals(wanted.entries().keySet(), found.entries().keySet());
      for (SafetensorsFile.Entry entry : wanted.entries().values()) {
        SafetensorsFile.Entry decoded = found.entry(entry.name()).orElseThrow();
        assertEquals(entry.type(), decoded.type(), entry.name());
        assertEquals(entry.shape(), decoded.shape(), entry.name());
        assertEquals(-1, entry.data().mismatch(decoded.data()), entry.name());
      }
      Container container = Container.map(archive, arena);
      assertEquals(
          Container.map(plain, arena).graph().constants().keySet(),
          container.graph().constants().keySet());
      String[] sizes = container.metadata().get(Container.ARCHIVE).split(" ");
      assertTrue(Long.parseLong(sizes[0]) < Long.parseLong(sizes[1]));
    }
  }

  @Test
  void twoArchivesOfAModelAreTheSameBytes() throws IOException {
    Path a = folder.resolve("a.filigree");
    Path b = folder.resolve("b.filigree");
    model(new Samples(3)).writer().archive(true).write(a);
    model(new Samples(3)).writer().archive(true).write(b);
    assertArrayEquals(Files.readAllBytes(a), Files.readAllBytes(b));
  }

  @Seeded(200)
  void aDamagedArchiveIsRefusedOrHoldsTheSame(Samples samples) throws IOException {
    Containers model = model(new Samples(samples.between(1, 5)));
    Path file = folder.resolve("damaged.filigree");
    model.writer().archive(true).write(file);
    byte[] bytes = Files.readAllBytes(file);
    int header = 8 + (int) MemorySegment.ofArray(bytes).get(DType.LONG, 0);
    boolean inHeader = samples.chance(0.3);
    for (int hits = samples.between(1, 3); hits > 0; hits--) {
      int at =
          inHeader ? samples.between(8, header - 1) : samples.between(header, bytes.length - 1);
      bytes[at] ^= (byte) (1 << samples.between(0, 7));
    }
    Files.write(file, bytes);
    try (Arena arena = Arena.ofShared()) {
      Container container = Container.map(file, arena);
      container.graph().constants().values().forEach(constant -> constant.toTensor());
    } catch (GraphException contradiction) {
      // names the node, not the file
      assertTrue(contradiction.problem().contains("'"), contradiction.problem());
    } catch (FiligreeException refusal) {
      assertTrue(refusal.getMessage().contains(file.toString()), refusal.getMessage());
    }
  }

  @Test
  void aFlippedBitOfACodedTensorIsFound() throws IOException {
    Path file = folder.resolve("model.filigree");
    model(new Samples(1)).writer().archive(true).write(file);
    byte[] bytes = Files.readAllBytes(file);
    long at;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment whole = MappedFile.map(file, arena);
      SafetensorsFile tensors = SafetensorsFile.read("", whole);
      MemorySegment coded = tensors.entry("coded.module.codes").orElseThrow().data();
      at = coded.address() - whole.address() + coded.byteSize() - 20;
    }
    bytes[(int) at] ^= 16;
    Files.write(file, bytes);
    FormatException refusal = assertThrows(FormatException.class, () -> map(file));
    assertTrue(
        refusal.problem().startsWith(file + ": tensor 'coded.module.codes': the Huffman-coded"),
        refusal.problem());
  }

  @Test
  void liesAboutWhatATensorWasAreRefused() {
    refused("F32 1,2,99999999999999", "claims to hold more than its bytes can");
    refused("F32 999999999999999999,999999999999999999", "claims to hold more than its bytes can");
    refused("F31 3", "has the type F31");
    refused("F32 -3", "is said to be archived from 'F32 -3'");
    refused("I8 4", "the coded bytes are damaged: form 0 is not known");
  }

  private void refused(String was, String problem) {
    Path file = folder.resolve("lies.filigree");
    new SafetensorsWriter()
        .metadata(Container.VERSION, Archive.VERSION)
        .metadata("filigree.archived.t", was)
        .add("t", SafetensorsType.U8, Shape.of(16), MemorySegment.ofArray(new byte[16]))
        .write(file);
    FormatException refusal = assertThrows(FormatException.class, () -> map(file));
    assertTrue(refusal.problem().startsWith(file + ": tensor 't'"), refusal.problem());
    assertTrue(refusal.problem().contains(problem), refusal.problem());
  }

  @Test
  void aTensorThatIsNotThereIsRefused() {
    Path file = folder.resolve("none.filigree");
    new SafetensorsWriter()
        .metadata(Container.VERSION, Archive.VERSION)
        .metadata("filigree.archived.t", "F32 3")
        .write(file);
    assertThrows(FormatException.class, () -> map(file));
  }

  private static void map(Path file) {
    try (Arena arena = Arena.ofShared()) {
      Container.map(file, arena);
    }
  }
}
