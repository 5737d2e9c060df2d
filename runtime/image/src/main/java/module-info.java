/** Image classifiers: decoding, scaling, normalising, batching. */
module dev.filigree.image {
  requires transitive dev.filigree.core;
  requires java.desktop;
  requires tools.jackson.databind;

  exports dev.filigree.image;
}
