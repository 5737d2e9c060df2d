package dev.filigree.plan;

/** How a value lies in memory. */
public enum Layout {
  /** Row-major, as ONNX sees it. */
  ROWS,
  /** In panels along tokens; see {@link dev.filigree.spi.Panels}. */
  PANELS
}
