package dev.filigree.serve;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Map;

/**
 * The status page: one file without anything from elsewhere. The browser is told to run the page's
 * own script and style and nothing else.
 */
final class StatusPage {
  private static final byte[] PAGE = page();
  private static final String POLICY = policy(new String(PAGE, StandardCharsets.UTF_8));

  private StatusPage() {}

  private static byte[] page() {
    try (InputStream in = StatusPage.class.getResourceAsStream("status.html")) {
      return in.readAllBytes();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private static String policy(String page) {
    return "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none';"
        + " frame-ancestors 'none'; script-src "
        + hash(page, "script")
        + "; style-src "
        + hash(page, "style");
  }

  /** The digest of the one element of a kind, as a content security policy names it. */
  private static String hash(String page, String element) {
    String open = "<" + element + ">";
    int from = page.indexOf(open) + open.length();
    String content = page.substring(from, page.indexOf("</" + element + ">", from));
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(content.getBytes(StandardCharsets.UTF_8));
      return "'sha256-" + Base64.getEncoder().encodeToString(digest) + "'";
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java platform has SHA-256", impossible);
    }
  }

  /** The page; with 401 it asks for the token before it shows anything. */
  static Reply reply(int status) {
    return new Reply(
        status,
        "text/html; charset=utf-8",
        PAGE,
        Map.of("Content-Security-Policy", POLICY, "Referrer-Policy", "no-referrer"));
  }
}
