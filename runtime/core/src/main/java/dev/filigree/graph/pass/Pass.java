package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;

/** A step that makes an equivalent graph out of a graph. Stateless. */
@FunctionalInterface
interface Pass {
  /** The new graph; the old one is unchanged. */
  Graph apply(Graph graph);
}
