package dev.filigree.text;

import java.nio.file.Path;

/** all-MiniLM-L6-v2 as published, each form with its tokenizer. */
enum MiniLm {
  /** Weights in fp32. */
  DENSE("all-minilm-l6-v2"),
  /** Weights in int8, activations quantised as they come. */
  INT8("all-minilm-l6-v2-q");

  private final String stem;

  MiniLm(String stem) {
    this.stem = stem;
  }

  /** The model's file; its tokenizer lies beside it. */
  Path file() {
    tokenizer();
    return dev.filigree.testing.MiniLm.unpacked(stem + ".onnx");
  }

  /** The file of its tokenizer. */
  Path tokenizer() {
    return dev.filigree.testing.MiniLm.unpacked(stem + "-tokenizer.json");
  }
}
