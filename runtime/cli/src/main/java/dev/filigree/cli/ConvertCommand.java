package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.format.checkpoint.CheckpointWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Writes a model in another format. */
@Command(
    name = "convert",
    description =
        "Write a model in another format: every weight keeps its value, which is checked.",
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree convert Llama-3-8B-w4a16/ llama.filigree",
      "  filigree convert minilm-2of4.filigree small.filigree --archive",
      "  filigree convert minilm-2of4.filigree minilm-2of4/    sparse-24-bitmask and the like",
      "  filigree convert minilm-2of4.filigree minilm.onnx     dense, with the zeros in place"
    })
final class ConvertCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private Common.Source source;

  @Parameters(
      index = "1",
      paramLabel = "TARGET",
      description = "A .filigree or .onnx file, or the folder of a checkpoint, which is made.")
  private Path target;

  @Mixin private Common.Archived archived;
  @Mixin private Common.Format format;

  @Override
  public Integer call() throws IOException {
    String name = target.toString();
    boolean isFile = name.endsWith(".filigree") || name.endsWith(".onnx");
    check(isFile);
    long start = System.nanoTime();
    try (ProgressBars progress = new ProgressBars()) {
      Path input = Models.file(source.model, progress);
      try (Model model = Model.open(input)) {
        if (name.endsWith(".filigree")) {
          model.writer().archive(archived.archive).write(target);
        } else if (name.endsWith(".onnx")) {
          model.writeOnnx(target);
        } else {
          CheckpointWriter.write(model, target);
        }
        if (isFile) {
          Models.checkSame(model, target);
        }
      }
      progress.finish();
      report(input, (System.nanoTime() - start) / 1e6);
    }
    return Main.DONE;
  }

  private void check(boolean isFile) {
    if (archived.archive && !target.toString().endsWith(".filigree")) {
      throw new UsageException(
          "--archive is a form of .filigree files; let TARGET " + target + " end in .filigree");
    }
    if (isFile) {
      Common.checkWritable("TARGET", target);
      return;
    }
    if (Files.exists(target) && !Files.isDirectory(target)) {
      throw new UsageException(
          "TARGET " + target + " ends in neither .filigree nor .onnx and is no folder");
    }
    Path parent = target.toAbsolutePath().getParent();
    if (!Files.exists(target) && parent != null) {
      Common.checkFolder("TARGET", parent);
    }
  }

  private void report(Path input, double millis) throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    long before = Models.bytes(input);
    long after = Models.bytes(target);
    if (format.json) {
      Output.json(
          out,
          Output.JSON
              .createObjectNode()
              .put("input", input.toString())
              .put("output", target.toString())
              .put("bytesBefore", before)
              .put("bytesAfter", after)
              .put("lossless", true)
              .put("elapsedMillis", millis));
      return;
    }
    out.println(
        target
            + ": "
            + Output.bytes(after)
            + " from "
            + Output.bytes(before)
            + "; every weight compared and the same; "
            + Output.format("%.1f s", millis / 1e3));
  }
}
