package dev.filigree.serve;

import dev.filigree.DeviceException;
import dev.filigree.FiligreeException;
import dev.filigree.FormatException;
import dev.filigree.GraphException;
import dev.filigree.InputException;
import dev.filigree.OutputException;
import dev.filigree.RejectedException;
import dev.filigree.UnsupportedException;
import dev.filigree.WeightsException;
import java.util.HashMap;
import java.util.Map;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a request is answered with.
 *
 * @param status of HTTP
 * @param type of the body
 * @param headers beside it
 */
record Reply(int status, String type, byte[] body, Map<String, String> headers) {
  static final String JSON = "application/json";

  private static final System.Logger LOG = System.getLogger("dev.filigree");

  static Reply json(ObjectNode document) {
    return json(200, document);
  }

  static Reply json(int status, ObjectNode document) {
    return new Reply(status, JSON, Json.MAPPER.writeValueAsBytes(document), Map.of());
  }

  Reply with(String header, String value) {
    Map<String, String> more = new HashMap<>(headers);
    more.put(header, value);
    return new Reply(status, type, body, more);
  }

  /**
   * The answer to a request that failed. What went wrong inside is logged and not told.
   *
   * @param openAi whether the error has the form of the embeddings interface
   */
  static Reply failure(Throwable cause, boolean openAi) {
    int status = status(cause);
    String message = cause.getMessage();
    if (status == 500 && !(cause instanceof FiligreeException)) {
      LOG.log(System.Logger.Level.ERROR, "a request failed", cause);
      message = "internal error; the log of the server has the cause";
    }
    return error(status, message, openAi);
  }

  /** An error with a message. */
  static Reply error(int status, String message, boolean openAi) {
    ObjectNode document = Json.MAPPER.createObjectNode();
    if (openAi) {
      document
          .putObject("error")
          .put("message", message)
          .put("type", status < 500 ? "invalid_request_error" : "server_error")
          .putNull("param")
          .putNull("code");
    } else {
      document.put("error", message);
    }
    Reply reply = json(status, document);
    return switch (status) {
      case 401 -> reply.with("WWW-Authenticate", "Bearer");
      case 429, 503 -> reply.with("Retry-After", "1");
      default -> reply;
    };
  }

  private static int status(Throwable cause) {
    return switch (cause) {
      case HttpFailure known -> known.status();
      case FiligreeException known -> status(known);
      case OutOfMemoryError full -> 503;
      default -> 500;
    };
  }

  private static int status(FiligreeException cause) {
    return switch (cause) {
      // the graph was whole when it was opened: shapes that do not fit it come from the request
      case InputException bad -> 400;
      case GraphException bad -> 400;
      case UnsupportedException bad -> 400;
      case RejectedException rejected ->
          switch (rejected.kind()) {
            case FULL -> 429;
            case LATE -> 504;
            case MEMORY, CLOSED, LOST -> 503;
          };
      case DeviceException device ->
          switch (device.kind()) {
            // nothing is wrong with the request: another server, or this one later, can run it
            case MEMORY, LOST -> 503;
            case MISSING, OPERATION -> 500;
          };
      case FormatException file -> 500;
      case OutputException file -> 500;
      case WeightsException file -> 500;
    };
  }
}
