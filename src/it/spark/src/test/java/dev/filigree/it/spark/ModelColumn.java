package dev.filigree.it.spark;

import ai.djl.MalformedModelException;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDList;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.Batchifier;
import ai.djl.translate.TranslateException;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorContext;
import dev.filigree.djl.SentenceTranslatorFactory;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Queue;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.collection.immutable.ArraySeq;

/**
 * Adds a column that a model computes from another column, a batch of rows at a time. All tasks of
 * an executor share one session, so an executor loads the weights once however many partitions it
 * works on. Rows are pulled one batch at a time and only when results are asked for.
 *
 * @param <T> what the model takes of one row
 */
public final class ModelColumn<T> implements MapPartitionsFunction<Row, Row> {
  private static final long serialVersionUID = 1L;
  private static final int BATCH = 32;

  /** How DJL is told what goes in; sent to the executors, which the models themselves are not. */
  private interface Input<T> extends Serializable {
    T of(Row row, int column);

    Criteria.Builder<T, float[]> criteria();
  }

  private final Input<T> input;
  private final String model;
  private final int column;

  private ModelColumn(Input<T> input, String model, int column) {
    this.input = input;
    this.model = model;
    this.column = column;
  }

  /**
   * Embeds a column of texts.
   *
   * @param model path of an encoder with its tokenizer, the same on every executor
   * @param from column of type string; where it is null the result is null
   * @param to column of type {@code array<float>} that is added
   */
  public static Dataset<Row> ofTexts(Dataset<Row> rows, String model, String from, String to) {
    return add(new Texts(), rows, model, from, to);
  }

  /**
   * Runs a model on a column of vectors.
   *
   * @param model path of a model that takes f32 [batch, features], the same on every executor
   * @param from column of type {@code array<float>}; where it is null the result is null
   * @param to column of type {@code array<float>} that is added
   */
  public static Dataset<Row> ofVectors(Dataset<Row> rows, String model, String from, String to) {
    return add(new Vectors(), rows, model, from, to);
  }

  private static <T> Dataset<Row> add(
      Input<T> input, Dataset<Row> rows, String model, String from, String to) {
    StructType schema =
        rows.schema().add(to, DataTypes.createArrayType(DataTypes.FloatType, false));
    int column = rows.schema().fieldIndex(from);
    return rows.mapPartitions(new ModelColumn<>(input, model, column), Encoders.row(schema));
  }

  @Override
  public Iterator<Row> call(Iterator<Row> rows)
      throws IOException, ModelNotFoundException, MalformedModelException {
    TaskContext task = TaskContext.get();
    ZooModel<T, float[]> zooModel =
        input
            .criteria()
            .optModelPath(Path.of(model))
            .optEngine("Filigree")
            // each task runs on the cores that Spark gave it
            .optOption("threads", Integer.toString(task.cpus()))
            .build()
            .loadModel();
    Predictor<T, float[]> predictor = zooModel.newPredictor();
    // also when the task fails, or is not asked for all its rows
    task.addTaskCompletionListener(
        ended -> {
          predictor.close();
          zooModel.close();
        });
    return new Batches(rows, predictor);
  }

  /** Reads a batch, runs it, hands its rows out, and only then reads the next. */
  private final class Batches implements Iterator<Row> {
    private final Iterator<Row> rows;
    private final Predictor<T, float[]> predictor;
    private final Queue<Row> ready = new ArrayDeque<>();

    Batches(Iterator<Row> rows, Predictor<T, float[]> predictor) {
      this.rows = rows;
      this.predictor = predictor;
    }

    @Override
    public boolean hasNext() {
      return !ready.isEmpty() || rows.hasNext();
    }

    @Override
    public Row next() {
      if (ready.isEmpty()) {
        runBatch();
      }
      return ready.remove();
    }

    private void runBatch() {
      List<Row> batch = new ArrayList<>();
      List<T> inputs = new ArrayList<>();
      while (batch.size() < BATCH && rows.hasNext()) {
        Row row = rows.next();
        batch.add(row);
        if (!row.isNullAt(column)) {
          inputs.add(input.of(row, column));
        }
      }
      Iterator<float[]> outputs = predict(inputs).iterator();
      for (Row row : batch) {
        ready.add(with(row, row.isNullAt(column) ? null : outputs.next()));
      }
    }

    private List<float[]> predict(List<T> inputs) {
      try {
        return inputs.isEmpty() ? List.of() : predictor.batchPredict(inputs);
      } catch (TranslateException failed) {
        throw new IllegalStateException(model + ": " + failed.getMessage(), failed);
      }
    }

    private static Row with(Row row, float[] vector) {
      Object[] values = new Object[row.length() + 1];
      for (int i = 0; i < row.length(); i++) {
        values[i] = row.get(i);
      }
      // as Spark keeps arrays in rows, so that a next step may read it with getList
      values[row.length()] = vector == null ? null : ArraySeq.unsafeWrapArray(vector);
      return RowFactory.create(values);
    }
  }

  private record Texts() implements Input<String> {
    @Override
    public String of(Row row, int column) {
      return row.getString(column);
    }

    @Override
    public Criteria.Builder<String, float[]> criteria() {
      return Criteria.builder()
          .setTypes(String.class, float[].class)
          .optTranslatorFactory(new SentenceTranslatorFactory());
    }
  }

  private record Vectors() implements Input<float[]> {
    @Override
    public float[] of(Row row, int column) {
      List<Float> values = row.getList(column);
      float[] vector = new float[values.size()];
      for (int i = 0; i < vector.length; i++) {
        vector[i] = values.get(i);
      }
      return vector;
    }

    @Override
    public Criteria.Builder<float[], float[]> criteria() {
      return Criteria.builder()
          .setTypes(float[].class, float[].class)
          .optTranslator(new VectorTranslator());
    }
  }

  /** A row of the batch for each vector. */
  private static final class VectorTranslator implements Translator<float[], float[]> {
    @Override
    public NDList processInput(TranslatorContext context, float[] vector) {
      return new NDList(context.getNDManager().create(vector));
    }

    @Override
    public float[] processOutput(TranslatorContext context, NDList outputs) {
      return outputs.singletonOrThrow().toFloatArray();
    }

    @Override
    public Batchifier getBatchifier() {
      return Batchifier.STACK;
    }
  }
}
