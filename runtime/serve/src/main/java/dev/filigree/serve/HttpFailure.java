package dev.filigree.serve;

/** A request that is answered with an error: the status, and a message for its sender. */
final class HttpFailure extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int status;

  HttpFailure(int status, String message) {
    super(message, null, false, false);
    this.status = status;
  }

  /** Something in the request is not as it must be. */
  static HttpFailure bad(String message) {
    return new HttpFailure(400, message);
  }

  int status() {
    return status;
  }
}
