package dev.filigree.serve;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * The way of every request: the token first, then its address, then the answer. It works in a
 * virtual thread and may block.
 */
final class RequestHandler extends Handler.Abstract {
  private final Token token;
  private final Endpoints endpoints;
  private final Statistics statistics;

  /**
   * A handler.
   *
   * @param token that requests must carry, or null
   */
  RequestHandler(Token token, Endpoints endpoints, Statistics statistics) {
    this.token = token;
    this.endpoints = endpoints;
    this.statistics = statistics;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    List<String> path = segments(Request.getPathInContext(request));
    Reply reply = reply(request, path);
    statistics.replied(reply.status());
    send(request, reply, response, callback);
    return true;
  }

  private Reply reply(Request request, List<String> path) {
    boolean openAi = !path.isEmpty() && path.getFirst().equals("v1");
    if (token != null && !token.isIn(request.getHeaders().get(HttpHeader.AUTHORIZATION))) {
      // the page asks for the token and holds nothing else
      return path.isEmpty()
          ? StatusPage.reply(401).with("WWW-Authenticate", "Bearer")
          : Reply.error(401, "send the token: Authorization: Bearer TOKEN", openAi);
    }
    try {
      return endpoints.answer(request, path);
    } catch (RuntimeException | Error failed) {
      return Reply.failure(failed, openAi);
    }
  }

  /** The segments of a decoded path; Jetty has refused what could be read in two ways. */
  private static List<String> segments(String path) {
    return Arrays.stream(path.split("/", -1)).filter(segment -> !segment.isEmpty()).toList();
  }

  static void send(Request request, Reply reply, Response response, Callback callback) {
    response.setStatus(reply.status());
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, reply.type());
    response.getHeaders().put(HttpHeader.CONTENT_LENGTH, reply.body().length);
    response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
    response.getHeaders().put("X-Content-Type-Options", "nosniff");
    if (!Bodies.isRead(request)) {
      // the sender must know, or it would send its next request after the rest of this one
      response.getHeaders().put(HttpHeader.CONNECTION, "close");
    }
    reply.headers().forEach((name, value) -> response.getHeaders().put(name, value));
    boolean hasBody = !request.getMethod().equals("HEAD");
    response.write(
        true, hasBody ? ByteBuffer.wrap(reply.body()) : ByteBuffer.allocate(0), callback);
  }
}
