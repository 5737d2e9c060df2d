/** Compresses models: pruning, weight sharing, quantisation, recipes. */
module dev.filigree.compress {
  requires transitive dev.filigree.core;
  requires tools.jackson.databind;

  exports dev.filigree.compress;
  exports dev.filigree.compress.layer;
  exports dev.filigree.compress.search;
  exports dev.filigree.compress.train;
}
