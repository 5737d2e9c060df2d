/** The PTX of the CUDA kernels and the manifest that says what each of them takes. */
module dev.filigree.kernels.cuda {
  requires tools.jackson.databind;

  exports dev.filigree.kernels.cuda;
}
