package dev.filigree.kernels.cuda;

/** Element types of the activations a kernel takes. */
public enum ActivationType {
  F16("f16"),
  BF16("bf16"),
  /** Beside an f32 scale for each token. */
  I8("i8");

  private final String label;

  ActivationType(String label) {
    this.label = label;
  }

  /** The manifest's name. */
  public String label() {
    return label;
  }
}
