package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.serving.BatchOptions;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** The status page in a real browser. */
@Timeout(300)
class StatusPageTest {
  private static final String SECRET = "0123456789abcdef0123";

  /** Contrast that the web's accessibility guidelines (WCAG 2.1, AA) ask of text. */
  private static final double CONTRAST = 4.5;

  /** Ratio of contrast between an element's colour and the page's ground, by WCAG's formula. */
  private static final String CONTRAST_OF =
      """
      (selector => {
        const light = colour => {
          const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map(Number).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const style = getComputedStyle(document.querySelector(selector));
        const ink = light(selector.includes('svg text') ? style.fill : style.color);
        const ground = light(getComputedStyle(document.body).backgroundColor);
        return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
      })\
      """;

  // a browser that was killed may still be writing
  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  private Path folder;

  private Path program;

  @BeforeEach
  void find() {
    assumeTrue(
        Browser.program().isPresent(),
        "no Chromium is installed, so the status page is not looked at; apt-get install chromium");
    program = Browser.program().get();
  }

  private TestServer server;

  @AfterEach
  void close() {
    if (server != null) {
      server.close();
    }
  }

  private Browser browser() throws IOException, InterruptedException {
    return new Browser(program, Files.createDirectories(folder.resolve("profile")));
  }

  private void ask() {
    HttpRequest request =
        server
            .request("/v2/models/double/infer")
            .header("Authorization", "Bearer " + SECRET)
            .POST(HttpRequest.BodyPublishers.ofString(TestServer.doubling(1, 2, 3)))
            .build();
    assertEquals(200, server.send(request).status());
  }

  @Test
  void itShowsLatencyAndBatchesAsTheyAre() throws IOException, InterruptedException {
    server = new TestServer(folder);
    AtomicBoolean go = new AtomicBoolean(true);
    Thread caller =
        Thread.ofVirtual()
            .start(
                () -> {
                  while (go.get()) {
                    ask();
                  }
                });
    try (Browser browser = browser()) {
      browser.open(server.uri("/"));
      browser.await("document.querySelectorAll('#model-double polyline').length === 5");
      browser.await(
          "Array.from(document.querySelectorAll('#model-double polyline'))"
              + ".every(line => line.points.numberOfItems >= 3)");
      assertEquals("serving", browser.evaluate("document.getElementById('state').textContent"));
      String label =
          browser.evaluate(
              "document.querySelector('#model-double svg').getAttribute('aria-label')");
      assertTrue(label.matches("Latency, last two minutes; now p50 .* ms, p99 .* ms"), label);
      // what the page says is what the server says
      browser.evaluate("document.getElementById('pause').click()");
      long requests =
          Long.parseLong(
              browser.evaluate("document.querySelector('#model-double table td').textContent"));
      long counted = server.server().host().models().getFirst().statistics().requests();
      assertTrue(requests > 0 && requests <= counted, requests + " of " + counted);
      look(browser, "light");
      look(browser, "dark");
      keyboard(browser);
      assertEquals(List.of(), browser.complaints());
      String foreign =
          browser.evaluate(
              "performance.getEntriesByType('resource').map(e => e.name)"
                  + ".filter(name => !name.startsWith(location.origin)).join()");
      assertEquals("", foreign, "nothing comes from elsewhere");
    } finally {
      go.set(false);
      caller.join();
    }
  }

  /** Colours can be told from their ground, and something is drawn. */
  private void look(Browser browser, String scheme) throws IOException {
    browser.prefer(scheme);
    for (String selector :
        List.of("body", ".dim", ".key-one", ".key-two", "button", "svg text", "th")) {
      double contrast = Double.parseDouble(browser.evaluate(CONTRAST_OF + "('" + selector + "')"));
      assertTrue(contrast >= CONTRAST, selector + " in " + scheme + ": " + contrast);
    }
    byte[] picture = browser.picture();
    BufferedImage image = ImageIO.read(new ByteArrayInputStream(picture));
    Set<Integer> colours = new HashSet<>();
    for (int y = 0; y < image.getHeight(); y += 2) {
      for (int x = 0; x < image.getWidth(); x += 2) {
        colours.add(image.getRGB(x, y));
      }
    }
    assertTrue(colours.size() > 20, "the page is empty");
    Files.write(
        Files.createDirectories(Path.of("target")).resolve("status-page-" + scheme + ".png"),
        picture);
  }

  /** Everything is reached with the keyboard alone, and shows that it is. */
  private static void keyboard(Browser browser) throws InterruptedException {
    browser.evaluate("document.activeElement.blur()");
    browser.press("Tab", "");
    assertEquals("pause", browser.evaluate("document.activeElement.id"));
    assertFalse(
        browser.evaluate("getComputedStyle(document.activeElement).outlineStyle").equals("none"));
    assertEquals("true", browser.evaluate("document.activeElement.getAttribute('aria-pressed')"));
    browser.press("Enter", "\r");
    assertEquals("false", browser.evaluate("document.activeElement.getAttribute('aria-pressed')"));
    browser.press("Tab", "");
    assertEquals("SUMMARY", browser.evaluate("document.activeElement.tagName"));
    browser.press("Enter", "\r");
    browser.await("document.querySelector('#model-double details').open");
    // the page is drawn anew every second; neither the focus nor what was opened is lost
    String requests = browser.evaluate("document.querySelector('#model-double td').textContent");
    browser.await("document.querySelector('#model-double td').textContent !== '" + requests + "'");
    assertEquals("true", browser.evaluate("document.querySelector('#model-double details').open"));
    assertEquals("SUMMARY", browser.evaluate("document.activeElement.tagName"));
  }

  @Test
  void withATokenItAsksForItFirst() throws IOException, InterruptedException {
    server =
        new TestServer(folder, ServerOptions.defaults().withToken(SECRET), BatchOptions.defaults());
    ask();
    try (Browser browser = browser()) {
      browser.open(server.uri("/"));
      browser.await("document.activeElement.id === 'token'");
      assertEquals("0", browser.evaluate("document.querySelectorAll('section').length"));
      browser.type("not the right one");
      browser.press("Enter", "\r");
      browser.await("document.getElementById('refused').textContent !== ''");
      browser.evaluate("document.getElementById('token').focus()");
      browser.type(SECRET);
      browser.press("Enter", "\r");
      browser.await("document.querySelector('#model-double')");
      assertEquals("true", browser.evaluate("document.getElementById('ask').hidden"));
      assertFalse(browser.evaluate("location.href").contains(SECRET));
    }
  }
}
