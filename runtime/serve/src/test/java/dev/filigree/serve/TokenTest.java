package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.OutputException;
import dev.filigree.serving.BatchOptions;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may ask, and how what is said stays between the two. */
@Timeout(120)
class TokenTest {
  private static final String SECRET = "0123456789abcdef-the-token";

  @TempDir private Path folder;

  private TestServer server(ServerOptions options) {
    return new TestServer(folder, options, BatchOptions.defaults());
  }

  @Test
  void withoutTheTokenNothingIsAnswered() {
    try (TestServer server = server(ServerOptions.defaults().withToken(SECRET))) {
      for (String path :
          List.of("/", "/status", "/metrics", "/v2", "/v2/health/live", "/v1/models", "/none")) {
        for (String sent :
            List.of("", "Bearer ", "Bearer " + SECRET + "x", "Basic " + SECRET, SECRET)) {
          var request = server.request(path);
          if (!sent.isEmpty()) {
            request.header("Authorization", sent);
          }
          TestServer.Answer answer = server.send(request.build());
          assertEquals(401, answer.status(), path + " with " + sent);
          assertEquals(List.of("Bearer"), answer.headers().get("www-authenticate"));
          assertFalse(answer.body().contains("double"), answer.body());
        }
        TestServer.Answer right =
            server.send(server.request(path).header("Authorization", "bearer " + SECRET).build());
        assertEquals(path.equals("/none") ? 404 : 200, right.status(), path);
      }
      assertEquals(
          401, server.post("/v2/models/double/infer", TestServer.doubling(1, 2, 3)).status());
    }
  }

  @Test
  void whatCallersSendIsNotLogged() {
    List<String> logged = new ArrayList<>();
    Handler listener =
        new Handler() {
          @Override
          public void publish(LogRecord entry) {
            logged.add(
                entry.getMessage()
                    + List.of(entry.getParameters() == null ? new Object[0] : entry.getParameters())
                    + entry.getThrown());
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    Logger root = Logger.getLogger("");
    Level before = root.getLevel();
    root.addHandler(listener);
    root.setLevel(Level.INFO);
    try (TestServer server = server(ServerOptions.defaults().withToken(SECRET))) {
      server.send(
          server
              .request("/v2?key=secret-in-query")
              .header("Authorization", "Bearer wrong-secret")
              .build());
      server.send(
          server
              .request("/v2/models/secret-in-path")
              .header("Authorization", "Bearer " + SECRET)
              .build());
      server.post("/v2/models/double/infer", "{\"secret-in-body\":");
    } finally {
      root.removeHandler(listener);
      root.setLevel(before);
    }
    assertTrue(logged.stream().anyMatch(line -> line.contains("listening")), logged.toString());
    assertFalse(
        logged.stream().anyMatch(line -> line.contains("secret") || line.contains(SECRET)),
        logged.toString());
    assertFalse(ServerOptions.defaults().withToken(SECRET).toString().contains(SECRET));
  }

  @ParameterizedTest
  @ValueSource(strings = {"guessable", "0123456789abcdef with a space", "0123456789abcdefü"})
  void aTokenThatCouldBeGuessedOrNotSentIsRefused(String token) {
    InputException refused =
        assertThrows(InputException.class, () -> ServerOptions.defaults().withToken(token));
    assertFalse(refused.getMessage().contains(token), refused.getMessage());
    assertTrue(refused.getMessage().contains("openssl rand"), refused.getMessage());
  }

  /** Makes a certificate for this machine and its key, as PEM files. */
  private Certificate certificate(String algorithm, String name) throws Exception {
    Path store = folder.resolve(name + ".p12");
    String keytool = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
    Process made =
        new ProcessBuilder(
                keytool,
                "-genkeypair",
                "-alias",
                "a",
                "-keyalg",
                algorithm,
                "-dname",
                "CN=test",
                "-ext",
                "san=ip:127.0.0.1",
                "-validity",
                "2",
                "-storepass",
                "password",
                "-storetype",
                "PKCS12",
                "-keystore",
                store.toString())
            .inheritIO()
            .start();
    assertEquals(0, made.waitFor());
    KeyStore keys = KeyStore.getInstance(store.toFile(), "password".toCharArray());
    Certificate certificate = keys.getCertificate("a");
    pem(name + ".crt", "CERTIFICATE", certificate.getEncoded());
    pem(name + ".key", "PRIVATE KEY", keys.getKey("a", "password".toCharArray()).getEncoded());
    return certificate;
  }

  private void pem(String file, String what, byte[] content) throws Exception {
    Files.writeString(
        folder.resolve(file),
        "-----BEGIN "
            + what
            + "-----\n"
            + Base64.getMimeEncoder(64, "\n".getBytes()).encodeToString(content)
            + "\n-----END "
            + what
            + "-----\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"RSA", "EC", "Ed25519"})
  void aCertificateInPemMakesItTls(String algorithm) throws Exception {
    Certificate certificate = certificate(algorithm, "server");
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("server", certificate);
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    ServerOptions options =
        ServerOptions.defaults()
            .withTls(folder.resolve("server.crt"), folder.resolve("server.key"));
    try (TestServer server = server(options);
        HttpClient client = HttpClient.newBuilder().sslContext(context).build()) {
      assertEquals("https", server.uri("/v2").getScheme());
      HttpResponse<String> answer =
          client.send(
              server.request("/v2/health/live").build(), HttpResponse.BodyHandlers.ofString());
      assertEquals("{\"live\":true}", answer.body());
      assertEquals("", server.raw("GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n").replaceAll("(?s).*", ""));
    }
  }

  @Test
  void filesThatDoNotBelongTogetherAreRefused() throws Exception {
    certificate("EC", "one");
    certificate("EC", "two");
    Path chain = folder.resolve("one.crt");
    assertSays("is not the key", chain, folder.resolve("two.key"));
    assertSays("cannot be read", chain, folder.resolve("none.key"));
    assertSays("openssl pkcs8", chain, chain);
    assertSays("no certificate", folder.resolve("one.key"), folder.resolve("one.key"));
    assertThrows(InputException.class, () -> ServerOptions.defaults().withTls(chain, null));
  }

  private void assertSays(String part, Path chain, Path key) {
    FormatException refused =
        assertThrows(
            FormatException.class,
            () -> server(ServerOptions.defaults().withTls(chain, key)).close());
    assertTrue(refused.getMessage().contains(part), refused.getMessage());
  }

  @Test
  void anAddressThatIsTakenIsNamed() {
    try (TestServer server = server(ServerOptions.defaults())) {
      int port = server.server().uri().getPort();
      try (ModelServer second =
          new ModelServer(
              ServerOptions.defaults().withAddress("127.0.0.1", port),
              dev.filigree.SessionOptions.defaults(),
              BatchOptions.defaults(),
              1 << 20)) {
        OutputException taken = assertThrows(OutputException.class, second::start);
        assertTrue(taken.getMessage().contains("127.0.0.1:" + port), taken.getMessage());
      }
    }
  }
}
