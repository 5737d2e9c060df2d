package dev.filigree.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the whole command on a few images of bars, whose class is where the bar stands. */
class DeepCompressionTableTest {
  private static final int COUNT = 300;

  @TempDir private Path folder;

  @Test
  void everyStageOfBothNetworksIsPrintedWithItsErrorAndBytes() throws IOException {
    write("train", 1);
    write("t10k", 2);
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream before = System.out;
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      DeepCompressionTable.main(new String[] {"2", folder.toString()});
    } finally {
      System.setOut(before);
    }
    List<String> lines = printed.toString(StandardCharsets.UTF_8).lines().toList();
    List<String> coded = lines.stream().filter(line -> line.startsWith("| coded")).toList();
    assertEquals(2, coded.size(), "one for each network");
    for (String line : coded) {
      double error = Double.parseDouble(line.replaceAll(".*coded \\| (\\S+) %.*", "$1"));
      double ratio = Double.parseDouble(line.replaceAll(".* (\\S+)x \\|", "$1"));
      assertTrue(error < 30, line);
      assertTrue(ratio > 30, line);
    }
    assertTrue(lines.stream().anyMatch(line -> line.startsWith("| 2:4 |")), "when to prune");
  }

  private void write(String name, long seed) throws IOException {
    Random random = new Random(seed);
    ByteBuffer images = ByteBuffer.allocate(16 + COUNT * 784);
    images.putInt(0x803).putInt(COUNT).putInt(28).putInt(28);
    ByteBuffer labels = ByteBuffer.allocate(8 + COUNT);
    labels.putInt(0x801).putInt(COUNT);
    for (int n = 0; n < COUNT; n++) {
      int label = random.nextInt(10);
      labels.put((byte) label);
      for (int i = 0; i < 784; i++) {
        images.put((byte) (i % 28 / 2 == label + 1 ? 200 + random.nextInt(50) : 0));
      }
    }
    Files.write(folder.resolve(name + "-images-idx3-ubyte"), images.array());
    Files.write(folder.resolve(name + "-labels-idx1-ubyte"), labels.array());
  }
}
