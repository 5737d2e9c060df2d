package dev.filigree.kernels.cuda;

/**
 * A parameter of a kernel. The same name means the same in every kernel.
 *
 * @param name such as {@code x}, {@code w}, {@code tokens}
 * @param type what is passed
 */
public record Parameter(String name, Type type) {
  /** Axes over the rows of a tensor that kernels of single elements tell apart. */
  public static final int OUTER_AXES = 5;

  /** What is passed. */
  public enum Type {
    POINTER("pointer", 8),
    I64("i64", 8),
    I32("i32", 4),
    F32("f32", 4),
    /** An i64 for each of the {@value #OUTER_AXES} axes over the rows of a tensor. */
    AXES("axes", Parameter.OUTER_AXES * 8);

    private final String label;
    private final int bytes;

    Type(String label, int bytes) {
      this.label = label;
      this.bytes = bytes;
    }

    /** The manifest's name of the type. */
    public String label() {
      return label;
    }

    /** Bytes of a value. */
    public int bytes() {
      return bytes;
    }
  }
}
