package dev.filigree.kernels.cuda;

/**
 * The weights a kernel of a linear layer takes.
 *
 * @param structure which weights are stored
 * @param values how they are encoded
 */
public record WeightsForm(Structure structure, Values values) {
  /** Which weights are stored. */
  public enum Structure {
    DENSE("dense"),
    SPARSE24("sparse24"),
    CSR("csr");

    private final String label;

    Structure(String label) {
      this.label = label;
    }

    /** The manifest's name. */
    public String label() {
      return label;
    }
  }

  /** How values are encoded. */
  public enum Values {
    F16("f16"),
    BF16("bf16"),
    I8("i8"),
    I4("i4"),
    I8_GROUPS("i8groups"),
    CODEBOOK16("codebook16"),
    CODEBOOK256("codebook256");

    private final String label;

    Values(String label) {
      this.label = label;
    }

    /** The manifest's name. */
    public String label() {
      return label;
    }
  }
}
