package dev.filigree.cuda.operation;

import dev.filigree.DType;
import java.util.List;

/**
 * Sum of rows of up to three tables, as {@link dev.filigree.kernel.fused.Embedding} defines it, and
 * its LayerNorm.
 */
public final class Embedding {
  /** Tables a kernel can add. */
  public static final int MOST_TABLES = 3;

  private Embedding() {}

  /**
   * A table and where its indices are.
   *
   * @param address of f16 or bf16 {@code [rows, columns]}, at the pitch all tables share
   * @param rows of the table
   * @param indices address of the first index
   * @param batchStep indices from one sequence to the next, 0 if it repeats
   * @param tokenStep indices from one token to the next, 0 if it repeats
   */
  public record Table(long address, long rows, long indices, long batchStep, long tokenStep) {}

  /** Scale and bias of the LayerNorm, as {@link Normalization#layer} takes them. */
  public record LayerNorm(long scale, long bias, float epsilon) {}

  /**
   * Launches the sum.
   *
   * @param tables one to three; a negative index counts from the end
   * @param indexType i64 or i32
   * @param pitchTable elements from one row of a table to the next
   * @param norm null for the sum alone
   * @param dtype of the tables
   * @param results {@code [batch * sequence, columns]}, in the type of the tables or in f32
   * @param sequence tokens of a sequence
   * @param fault address of an i64 that holds {@link Gather#NO_FAULT} before: receives the position
   *     of the first token with an index out of range, which takes row 0
   */
  public static Launch sum(
      OperationKernels kernels,
      List<Table> tables,
      DType indexType,
      int pitchTable,
      LayerNorm norm,
      DType dtype,
      Normalization.Results results,
      int sequence,
      long fault) {
    String entry = norm == null ? "embedding" : "embedding_normalization";
    Rows any = results.y() != null ? results.y() : results.exact();
    return OperationKernels.warps(
        kernels.typed(entry, dtype),
        any.rows(),
        arguments -> {
          for (int t = 0; t < MOST_TABLES; t++) {
            Table table = t < tables.size() ? tables.get(t) : new Table(0, 0, 0, 0, 0);
            arguments
                .pointer("table" + t, table.address)
                .pointer("indices" + t, table.indices)
                .i64("rows" + t, table.rows)
                .i64("batchStep" + t, table.batchStep)
                .i64("tokenStep" + t, table.tokenStep);
          }
          arguments
              .i32("indexBytes", indexType.bytes())
              .pointer("scale", norm == null ? 0 : norm.scale)
              .pointer("bias", norm == null ? 0 : norm.bias)
              .f32("epsilon", norm == null ? 0 : norm.epsilon)
              .pointer("y", Rows.addressOf(results.y()))
              .pointer("exact", Rows.addressOf(results.exact()))
              .i32("tokens", Math.toIntExact(any.rows()))
              .i32("sequence", sequence)
              .i32("columns", any.columns())
              .i32("pitchTable", pitchTable)
              .i32("pitchY", Rows.pitchOf(results.y()))
              .i32("pitchExact", Rows.pitchOf(results.exact()))
              .pointer("fault", fault);
        });
  }
}
