package dev.filigree.it.flink;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.datastream.AsyncDataStream;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.api.functions.async.RichAsyncFunction;

/**
 * Pairs every element of a stream with what a model makes of it. All tasks of a task manager share
 * the model, and what they ask for runs in common batches. A task has a bounded number of elements
 * under way; when they are that many, it reads no further. Flink keeps them in its checkpoints.
 *
 * @param <T> what the model takes
 */
abstract class ModelStream<T> extends RichAsyncFunction<T, Tuple2<T, float[]>> {
  private static final long serialVersionUID = 1L;

  /** Elements of one task that are under way: two batches, so that one waits while one runs. */
  private static final int CAPACITY = 64;

  /** An element that takes longer fails the task, which is then tried again. */
  private static final long TIMEOUT_SECONDS = 60;

  private final String path;
  private transient SharedModel model;

  private ModelStream(String path) {
    this.path = path;
  }

  /**
   * Embeds texts.
   *
   * @param path of an encoder with its tokenizer, the same on every task manager
   */
  static DataStream<Tuple2<String, float[]>> ofTexts(DataStream<String> texts, String path) {
    return AsyncDataStream.orderedWait(
            texts, new Texts(path), TIMEOUT_SECONDS, TimeUnit.SECONDS, CAPACITY)
        .returns(TypeInformation.of(new TypeHint<Tuple2<String, float[]>>() {}));
  }

  /**
   * Runs a model on vectors.
   *
   * @param path of a model that takes f32 [batch, features], the same on every task manager
   */
  static DataStream<Tuple2<float[], float[]>> ofVectors(DataStream<float[]> vectors, String path) {
    return AsyncDataStream.orderedWait(
            vectors, new Vectors(path), TIMEOUT_SECONDS, TimeUnit.SECONDS, CAPACITY)
        .returns(TypeInformation.of(new TypeHint<Tuple2<float[], float[]>>() {}));
  }

  abstract CompletableFuture<float[]> compute(SharedModel shared, T element);

  @Override
  public void open(OpenContext context) {
    int tasks = getRuntimeContext().getTaskInfo().getNumberOfParallelSubtasks();
    model = SharedModel.acquire(path, tasks * CAPACITY);
  }

  @Override
  public void close() {
    if (model != null) {
      model.release();
      model = null;
    }
  }

  @Override
  public void asyncInvoke(T element, ResultFuture<Tuple2<T, float[]>> result) {
    compute(model, element)
        .whenComplete(
            (vector, failure) -> {
              if (failure != null) {
                result.completeExceptionally(failure);
              } else {
                result.complete(List.of(Tuple2.of(element, vector)));
              }
            });
  }

  private static final class Texts extends ModelStream<String> {
    private static final long serialVersionUID = 1L;

    Texts(String path) {
      super(path);
    }

    @Override
    CompletableFuture<float[]> compute(SharedModel shared, String text) {
      return shared.embed(text);
    }
  }

  private static final class Vectors extends ModelStream<float[]> {
    private static final long serialVersionUID = 1L;

    Vectors(String path) {
      super(path);
    }

    @Override
    CompletableFuture<float[]> compute(SharedModel shared, float[] vector) {
      return shared.run(vector);
    }
  }
}
