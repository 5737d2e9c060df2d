package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class StandardOutputTest {
  private static StandardOutput failing(String message) {
    return new StandardOutput(
        new OutputStream() {
          @Override
          public void write(int value) throws IOException {
            throw new IOException(message);
          }
        });
  }

  private static void print(StandardOutput out) {
    PrintWriter writer = out.writer();
    writer.println("text");
    writer.flush();
  }

  @Test
  void writesUtf8() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    StandardOutput out = new StandardOutput(bytes);
    PrintWriter writer = out.writer();
    writer.print("µ 漢 😀");
    writer.flush();
    assertArrayEquals("µ 漢 😀".getBytes(StandardCharsets.UTF_8), bytes.toByteArray());
    assertNull(out.failure());
  }

  @Test
  void remembersThatTheDiskIsFull() {
    StandardOutput out = failing("No space left on device");
    print(out);
    assertEquals("No space left on device", out.failure());
  }

  @Test
  void aReaderThatWentAwayIsNoFailure() {
    StandardOutput out = failing("Broken pipe");
    print(out);
    assertNull(out.failure());
  }
}
