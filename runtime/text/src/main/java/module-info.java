/** Sentence encoders: tokenising, batching, pooling. */
@SuppressWarnings("requires-automatic") // the tokenizers come as no other kind of module
module dev.filigree.text {
  requires transitive dev.filigree.core;
  requires ai.djl.api;
  requires ai.djl.tokenizers;
  // what the tokenizers need and, as automatic modules, cannot ask for
  requires com.google.gson;
  requires org.slf4j;

  exports dev.filigree.text;
}
