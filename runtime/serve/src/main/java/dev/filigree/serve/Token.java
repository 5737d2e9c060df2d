package dev.filigree.serve;

import dev.filigree.InputException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * The secret that requests must carry. Only its digest is kept, and never shown; digests are
 * compared in a time that does not depend on where they differ.
 */
final class Token {
  private static final String SCHEME = "Bearer ";

  /** Characters below which a token could be guessed. */
  private static final int SHORTEST = 16;

  private final byte[] digest;

  /**
   * A token.
   *
   * @throws InputException if it is too short or could not be sent in a header
   */
  Token(String secret) {
    if (secret.length() < SHORTEST || !secret.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
      throw new InputException(
          "the token is shorter than "
              + SHORTEST
              + " characters or has spaces or letters outside"
              + " ASCII",
          "make one, for example with: openssl rand -hex 32");
    }
    this.digest = digest(secret);
  }

  /** Whether the value of a request's {@code Authorization} header, or null, carries the token. */
  boolean isIn(String authorization) {
    boolean carries =
        authorization != null && authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length());
    String sent = carries ? authorization.substring(SCHEME.length()).strip() : "";
    return MessageDigest.isEqual(digest, digest(sent));
  }

  private static byte[] digest(String secret) {
    try {
      return MessageDigest.getInstance("SHA-256")
          .digest(secret.getBytes(StandardCharsets.ISO_8859_1));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java platform has SHA-256", impossible);
    }
  }
}
