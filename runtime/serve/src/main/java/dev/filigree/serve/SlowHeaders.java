package dev.filigree.serve;

import java.util.IdentityHashMap;
import java.util.Map;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.io.ssl.SslConnection;
import org.eclipse.jetty.server.Connector;

/**
 * Closes connections whose next request has begun but whose headers do not come to an end: a byte
 * now and then would keep a connection from ever being idle. Used by one thread.
 */
final class SlowHeaders {
  /** When a connection was last seen between two requests, and what it had received till then. */
  private record Place(long messages, long bytes, long since) {}

  private final Connector connector;
  private final long nanos;
  private Map<EndPoint, Place> places = new IdentityHashMap<>();

  /**
   * A watch.
   *
   * @param nanos headers may take
   */
  SlowHeaders(Connector connector, long nanos) {
    this.connector = connector;
    this.nanos = nanos;
  }

  /** Looks at every connection; to be called every second. */
  void tick() {
    long now = System.nanoTime();
    Map<EndPoint, Place> seen = new IdentityHashMap<>();
    for (EndPoint endPoint : connector.getConnectedEndPoints()) {
      Connection connection = connection(endPoint);
      // between two requests as many have come in as answers went out
      if (connection == null || connection.getMessagesIn() != connection.getMessagesOut()) {
        continue;
      }
      Place before = places.get(endPoint);
      Place place = new Place(connection.getMessagesIn(), connection.getBytesIn(), now);
      boolean hasBegun =
          before != null && before.messages == place.messages && before.bytes < place.bytes;
      if (!hasBegun) {
        seen.put(endPoint, place);
      } else if (now - before.since > nanos) {
        endPoint.close();
      } else {
        seen.put(endPoint, before);
      }
    }
    places = seen;
  }

  /** The connection that speaks HTTP, inside the one that encrypts it. */
  private static Connection connection(EndPoint endPoint) {
    return endPoint.getConnection() instanceof SslConnection tls
        ? tls.getSslEndPoint().getConnection()
        : endPoint.getConnection();
  }
}
