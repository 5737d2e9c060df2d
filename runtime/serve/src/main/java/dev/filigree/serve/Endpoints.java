package dev.filigree.serve;

import dev.filigree.RejectedException;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.ValueInfo;
import dev.filigree.serving.ModelHost.Served;
import dev.filigree.serving.ModelLease;
import dev.filigree.text.SentenceModel;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.thread.Scheduler;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** What each address of the server answers. Thread-safe. */
final class Endpoints {
  private static final String VARIABLE_AXIS = "-1";

  private final ServedModels models;
  private final ServerOptions options;
  private final Bodies bodies;
  private final Statistics statistics;
  private final Scheduler scheduler;
  private volatile boolean draining;

  Endpoints(
      ServedModels models,
      ServerOptions options,
      Bodies bodies,
      Statistics statistics,
      Scheduler scheduler) {
    this.models = models;
    this.options = options;
    this.bodies = bodies;
    this.statistics = statistics;
    this.scheduler = scheduler;
  }

  /** From now on it says that it is not ready. */
  void drain() {
    draining = true;
  }

  /**
   * Answers a request that may be answered.
   *
   * @param path its segments, decoded
   * @throws HttpFailure with the status of an error
   */
  Reply answer(Request request, List<String> path) {
    long arrived = System.nanoTime();
    return switch (path.isEmpty() ? "" : path.getFirst()) {
      case "" -> get(request, StatusPage.reply(200));
      case "metrics" -> metrics(request, path);
      case "status" -> only(path, 1, get(request, Reply.json(statistics.status(draining))));
      case "v1" -> openAi(request, path, arrived);
      case "v2" -> openInference(request, path, arrived);
      default -> throw notFound();
    };
  }

  private Reply metrics(Request request, List<String> path) {
    return only(path, 1, get(request, statistics.metrics(bodies.taken())));
  }

  private Reply openAi(Request request, List<String> path, long arrived) {
    String what = path.size() < 2 ? "" : path.get(1);
    return switch (what) {
      case "embeddings" -> {
        only(path, 2, null);
        yield post(request, body -> embed(body, arrived));
      }
      case "models" -> path.size() > 2 ? listed(request, path) : get(request, list());
      default -> throw notFound();
    };
  }

  private Reply list() {
    ObjectNode document = Json.MAPPER.createObjectNode().put("object", "list");
    ArrayNode data = document.putArray("data");
    models.host().models().forEach(served -> describe(data.addObject(), served.name()));
    return Reply.json(document);
  }

  private Reply listed(Request request, List<String> path) {
    models.check(path.get(2));
    ObjectNode document = Json.MAPPER.createObjectNode();
    describe(document, path.get(2));
    return only(path, 3, get(request, Reply.json(document)));
  }

  private void describe(ObjectNode model, String name) {
    model
        .put("id", name)
        .put("object", "model")
        .put("created", statistics.startedSeconds())
        .put("owned_by", "filigree");
  }

  private Reply embed(byte[] body, long arrived) {
    EmbeddingRequest request = EmbeddingRequest.read(body, options.maxTexts());
    try (ModelLease lease = models.lease(request.model())) {
      return request.reply(
          embed(request.model(), lease, request.texts(), arrived, options.deadline()));
    }
  }

  private static SentenceModel.Embedded embed(
      String model, ModelLease lease, List<String> texts, long arrived, Duration deadline) {
    SentenceModel sentences = lease.companion(SentenceModel.class);
    if (sentences == null) {
      throw HttpFailure.bad(
          "model '"
              + Text.shown(model)
              + "' is no text encoder with a tokenizer; use /v2/models/.../infer for tensors");
    }
    // one batch after the other: a long list takes turns with what others send
    return sentences.embed(
        texts, inputs -> run(lease, inputs, arrived, deadline), dev.filigree.Progress.NONE);
  }

  /** Runs what is left of a request in what is left of its time. */
  private static Map<String, Tensor> run(
      ModelLease lease, Map<String, Tensor> inputs, long arrived, Duration deadline) {
    try {
      return lease.run(inputs, deadline.minusNanos(System.nanoTime() - arrived));
    } catch (RejectedException late) {
      if (late.kind() != RejectedException.Kind.LATE) {
        throw late;
      }
      // the time it was given, of which this run had only the rest
      throw new HttpFailure(
          504,
          "the request was not done within "
              + deadline.toNanos() / 1000 / 1e3
              + " ms; allow more time, or send less at once");
    }
  }

  private Reply openInference(Request request, List<String> path, long arrived) {
    String what = path.size() < 2 ? "" : path.get(1);
    return switch (what) {
      case "" -> get(request, server());
      case "health" -> health(request, path);
      case "models" -> model(request, path, arrived);
      case "repository" -> repository(request, path);
      default -> throw notFound();
    };
  }

  private static Reply server() {
    ObjectNode document = Json.MAPPER.createObjectNode().put("name", "filigree");
    document.put("version", ModelServer.version());
    document.putArray("extensions").add("binary_tensor_data").add("model_repository");
    return Reply.json(document);
  }

  private Reply health(Request request, List<String> path) {
    String what = path.size() == 3 ? path.get(2) : "";
    return switch (what) {
      case "live" -> get(request, Reply.json(flag("live", true)));
      case "ready" -> get(request, ready(models.host().models().stream().allMatch(Served::ready)));
      default -> throw notFound();
    };
  }

  private Reply ready(boolean models) {
    boolean ready = models && !draining;
    return Reply.json(ready ? 200 : 503, flag("ready", ready));
  }

  private static ObjectNode flag(String name, boolean value) {
    return Json.MAPPER.createObjectNode().put(name, value);
  }

  /** {@code /v2/models/NAME[/versions/N][/ready|/infer]}. */
  private Reply model(Request request, List<String> path, long arrived) {
    if (path.size() < 3) {
      throw notFound();
    }
    try (ModelLease lease = models.lease(path.get(2))) {
      int next = 3;
      if (path.size() > 4 && path.get(3).equals("versions")) {
        checkVersion(lease, path.get(2), path.get(4));
        next = 5;
      }
      String what = path.size() > next ? path.get(next) : "";
      only(path, what.isEmpty() ? next : next + 1, null);
      return switch (what) {
        case "" -> get(request, metadata(path.get(2), lease));
        case "ready" -> get(request, ready(true));
        case "infer" -> post(request, body -> infer(request, body, path.get(2), lease, arrived));
        default -> throw notFound();
      };
    }
  }

  private static void checkVersion(ModelLease lease, String name, String version) {
    if (!version.equals(Integer.toString(lease.version()))) {
      throw new HttpFailure(
          404,
          "model '"
              + name
              + "' has no version '"
              + Text.shown(version)
              + "'; it is served as "
              + lease.version());
    }
  }

  private static Reply metadata(String name, ModelLease lease) {
    ObjectNode document = Json.MAPPER.createObjectNode().put("name", name);
    document.putArray("versions").add(Integer.toString(lease.version()));
    document.put("platform", "filigree_" + lease.device());
    describe(document.putArray("inputs"), lease.model().inputs());
    describe(document.putArray("outputs"), lease.model().outputs());
    if (lease.companion(SentenceModel.class) != null) {
      // beside the tensors above, not with them
      document
          .putObject("parameters")
          .put("text_input", TextTensor.INPUT)
          .put("text_output", TextTensor.OUTPUT);
    }
    return Reply.json(document);
  }

  private static void describe(ArrayNode list, List<ValueInfo> values) {
    for (ValueInfo value : values) {
      ObjectNode entry = list.addObject().put("name", value.name());
      entry.put("datatype", value.dtype() == null ? "" : DataTypes.name(value.dtype()));
      ArrayNode shape = entry.putArray("shape");
      if (value.dims() != null) {
        for (Dim dim : value.dims()) {
          shape.add(dim.isKnown() ? dim.value() : Long.parseLong(VARIABLE_AXIS));
        }
      }
    }
  }

  private Reply infer(Request request, byte[] body, String name, ModelLease lease, long arrived) {
    InferRequest infer = InferRequest.read(body, jsonLength(request, body.length));
    boolean texts = !infer.texts().isEmpty();
    if (texts) {
      InferReply.checkNames(infer, List.of(TextTensor.OUTPUT));
    } else {
      InferReply.check(infer, lease.model().outputs());
    }
    if (infer.texts().size() > options.maxTexts()) {
      throw HttpFailure.bad(
          "there are more than " + options.maxTexts() + " texts; send fewer at once");
    }
    Duration deadline = options.deadline();
    if (infer.timeoutMicros().isPresent()
        && infer.timeoutMicros().get() < deadline.toNanos() / 1000) {
      deadline = Duration.ofNanos(infer.timeoutMicros().get() * 1000);
    }
    Map<String, Tensor> outputs =
        texts
            ? Map.of(
                TextTensor.OUTPUT,
                stacked(embed(name, lease, infer.texts(), arrived, deadline).vectors()))
            : run(lease, infer.inputs(), arrived, deadline);
    return InferReply.of(name, lease.version(), infer, outputs);
  }

  /** Vectors as the rows of a tensor. */
  private static Tensor stacked(float[][] vectors) {
    int length = vectors[0].length;
    float[] all = new float[vectors.length * length];
    for (int i = 0; i < vectors.length; i++) {
      System.arraycopy(vectors[i], 0, all, i * length, length);
    }
    return Tensor.of(all, vectors.length, length);
  }

  private static int jsonLength(Request request, int bodyLength) {
    String header = request.getHeaders().get(InferReply.JSON_LENGTH);
    if (header == null) {
      return bodyLength;
    }
    if (!header.matches("\\d{1,10}") || Long.parseLong(header) > bodyLength) {
      throw HttpFailure.bad(
          InferReply.JSON_LENGTH
              + " is '"
              + Text.shown(header)
              + "', the body has "
              + bodyLength
              + " bytes; send the length of the JSON at its start");
    }
    return Integer.parseInt(header);
  }

  /** {@code /v2/repository/index} and {@code /v2/repository/models/NAME/load}. */
  private Reply repository(Request request, List<String> path) {
    if (path.size() == 3 && path.get(2).equals("index")) {
      return post(request, body -> index());
    }
    if (path.size() == 5 && path.get(2).equals("models") && path.get(4).equals("load")) {
      if (!options.reload()) {
        throw new HttpFailure(
            403, "models are not loaded on request; allow it with --allow-reload");
      }
      return post(request, body -> reload(path.get(3)));
    }
    throw notFound();
  }

  private Reply index() {
    ArrayNode list = Json.MAPPER.createArrayNode();
    for (Served served : models.host().models()) {
      list.addObject()
          .put("name", served.name())
          .put("version", Integer.toString(served.version()))
          .put("state", served.ready() ? "READY" : "UNAVAILABLE")
          .put("reason", served.note());
    }
    return new Reply(200, Reply.JSON, Json.MAPPER.writeValueAsBytes(list), Map.of());
  }

  private Reply reload(String name) {
    int version = models.reload(name);
    return Reply.json(
        Json.MAPPER.createObjectNode().put("name", name).put("version", version + ""));
  }

  private static HttpFailure notFound() {
    return new HttpFailure(
        404, "nothing is here; see /v2, /v2/models/NAME, /v1/embeddings, /v1/models, /metrics");
  }

  /** The reply, unless the path goes on. */
  private static Reply only(List<String> path, int segments, Reply reply) {
    if (path.size() > segments) {
      throw notFound();
    }
    return reply;
  }

  private static Reply get(Request request, Reply reply) {
    checkMethod(request, "GET", "HEAD");
    return reply;
  }

  private Reply post(Request request, Function<byte[], Reply> answer) {
    checkMethod(request, "POST", "POST");
    String encoding = request.getHeaders().get(HttpHeader.CONTENT_ENCODING);
    if (encoding != null && !encoding.equalsIgnoreCase("identity")) {
      throw new HttpFailure(415, "bodies are not taken compressed; send the body as it is");
    }
    return bodies.with(request, scheduler, answer);
  }

  private static void checkMethod(Request request, String one, String other) {
    if (!request.getMethod().equals(one) && !request.getMethod().equals(other)) {
      throw new HttpFailure(
          405,
          "the method " + Text.shown(request.getMethod()) + " is not allowed here; use " + one);
    }
  }
}
