package dev.filigree.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.testing.OcrModels;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.GraphicsEnvironment;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import javax.imageio.ImageIO;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The guide's example that prints the text of an image, compiled and run as it stands there. */
class ReadTextExampleTest {
  private static final Path SOURCE = Path.of("../../src/docs/examples/ReadText.java");
  private static final List<String> LINES =
      List.of("Filigree reads text", "from an image 2024", "line by line");

  @TempDir private Path folder;

  private Path page() throws Exception {
    BufferedImage page = new BufferedImage(480, 224, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = page.createGraphics();
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    graphics.setColor(Color.WHITE);
    graphics.fillRect(0, 0, page.getWidth(), page.getHeight());
    graphics.setColor(Color.BLACK);
    graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 30));
    for (int i = 0; i < LINES.size(); i++) {
      graphics.drawString(LINES.get(i), 24, 56 + 64 * i);
    }
    graphics.dispose();
    Path file = folder.resolve("page.png");
    ImageIO.write(page, "png", file.toFile());
    return file;
  }

  @Test
  void theLinesOfAPageArePrinted() throws Exception {
    Optional<Path> models = OcrModels.folder();
    assumeTrue(models.isPresent(), OcrModels.remedy());
    assumeTrue(
        GraphicsEnvironment.getLocalGraphicsEnvironment().getAvailableFontFamilyNames().length > 0,
        "no fonts are installed");
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    String path = System.getProperty("java.class.path");
    ByteArrayOutputStream messages = new ByteArrayOutputStream();
    int code =
        compiler.run(
            null,
            null,
            messages,
            "-cp",
            path,
            "-proc:none",
            "-d",
            folder.toString(),
            SOURCE.toString());
    assertEquals(0, code, messages.toString(StandardCharsets.UTF_8));
    PrintStream before = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    try (URLClassLoader loader =
        new URLClassLoader(new URL[] {folder.toUri().toURL()}, getClass().getClassLoader())) {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      loader
          .loadClass("ReadText")
          .getMethod("main", String[].class)
          .invoke(null, (Object) new String[] {models.get().toString(), page().toString()});
    } finally {
      System.setOut(before);
    }
    List<String> read =
        printed
            .toString(StandardCharsets.UTF_8)
            .lines()
            .map(line -> line.replace(" ", ""))
            .toList();
    assertEquals(LINES.stream().map(line -> line.replace(" ", "")).toList(), read);
  }
}
