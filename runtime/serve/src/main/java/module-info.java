/** Models over HTTP: Open Inference Protocol and embeddings. */
module dev.filigree.serve {
  requires transitive dev.filigree.core;
  requires dev.filigree.text;
  requires org.eclipse.jetty.server;
  requires tools.jackson.core;
  requires tools.jackson.databind;

  exports dev.filigree.serve;
}
