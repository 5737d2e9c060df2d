package dev.filigree.serve;

import dev.filigree.FormatException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;

/** Certificate and key of a server, from the files that other servers take too. */
final class Pem {
  private static final String BEGIN = "-----BEGIN PRIVATE KEY-----";
  private static final String END = "-----END PRIVATE KEY-----";

  /** Kinds of keys, and how something is signed with each. */
  private static final List<List<String>> KINDS =
      List.of(
          List.of("EC", "SHA256withECDSA"),
          List.of("RSA", "SHA256withRSA"),
          List.of("EdDSA", "EdDSA"));

  private Pem() {}

  /**
   * A key store in memory, without a password, that holds a certificate chain and its key.
   *
   * @param chain PEM file, the server's certificate first
   * @param key PEM file in PKCS #8, not encrypted
   * @throws FormatException if a file cannot be read, or the two do not belong together
   */
  static KeyStore keyStore(Path chain, Path key) {
    Certificate[] certificates = certificates(chain);
    PrivateKey secret = null;
    byte[] encoded = key(key);
    for (List<String> kind : KINDS) {
      if (secret == null) {
        secret = secret(kind, encoded, certificates[0].getPublicKey());
      }
    }
    if (secret == null) {
      throw new FormatException(
          key + " is not the key of the certificate in " + chain,
          "pass the RSA, EC or Ed25519 key that the certificate was made with");
    }
    try {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      store.setKeyEntry("server", secret, new char[0], certificates);
      return store;
    } catch (GeneralSecurityException | IOException failed) {
      throw new FormatException(
          chain + " and " + key + " cannot be used: " + failed.getMessage(),
          "use a certificate and key made for a server",
          failed);
    }
  }

  private static Certificate[] certificates(Path file) {
    try {
      Certificate[] all =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(new ByteArrayInputStream(bytes(file)))
              .toArray(Certificate[]::new);
      if (all.length > 0) {
        return all;
      }
      throw new FormatException(file + " holds no certificate", "pass a PEM file with the chain");
    } catch (GeneralSecurityException malformed) {
      throw new FormatException(
          file + " holds no certificates: " + malformed.getMessage(),
          "pass a PEM file with the chain",
          malformed);
    }
  }

  private static byte[] key(Path file) {
    String text = new String(bytes(file), StandardCharsets.ISO_8859_1);
    int begin = text.indexOf(BEGIN);
    int end = text.indexOf(END);
    if (begin < 0 || end < begin) {
      throw new FormatException(
          file + " holds no unencrypted key in PKCS #8 (BEGIN PRIVATE KEY)",
          "convert it: openssl pkcs8 -topk8 -nocrypt -in old.pem -out new.pem");
    }
    try {
      return Base64.getMimeDecoder().decode(text.substring(begin + BEGIN.length(), end));
    } catch (IllegalArgumentException malformed) {
      throw new FormatException(file + " is damaged", "make it again", malformed);
    }
  }

  /** The key, if it is of a kind and belongs to a certificate; else null. */
  private static PrivateKey secret(List<String> kind, byte[] encoded, PublicKey certified) {
    try {
      PrivateKey secret =
          KeyFactory.getInstance(kind.getFirst()).generatePrivate(new PKCS8EncodedKeySpec(encoded));
      Signature signature = Signature.getInstance(kind.getLast());
      signature.initSign(secret);
      signature.update(encoded, 0, 1);
      byte[] signed = signature.sign();
      signature.initVerify(certified);
      signature.update(encoded, 0, 1);
      return signature.verify(signed) ? secret : null;
    } catch (GeneralSecurityException otherKind) {
      return null;
    }
  }

  private static byte[] bytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException failed) {
      throw new FormatException(
          file + " cannot be read" + (Files.exists(file) ? "" : ": it does not exist"),
          "pass a PEM file that the server may read",
          failed);
    }
  }
}
