package dev.filigree.serve;

import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;

/**
 * What is answered to requests that never reach the handler, such as malformed ones: the status and
 * its name, nothing of what was sent.
 */
final class ErrorReplies extends ErrorHandler {
  private final Statistics statistics;

  ErrorReplies(Statistics statistics) {
    this.statistics = statistics;
  }

  private Reply reply(int status) {
    statistics.replied(status);
    return Reply.error(status, HttpStatus.getMessage(status), false);
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    RequestHandler.send(request, reply(response.getStatus()), response, callback);
    return true;
  }
}
