package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.format.checkpoint.Checkpoint;
import dev.filigree.format.checkpoint.CheckpointWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
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
  /** What looks like the name of a file: an ending of letters, not the .1-8B of a model's name. */
  private static final Pattern FILE_NAME = Pattern.compile(".*\\.[A-Za-z][A-Za-z0-9]{1,11}");

  @Spec private CommandSpec spec;
  @Mixin private Common.Source source;

  @Parameters(
      index = "1",
      paramLabel = "TARGET",
      description =
          "A .filigree or .onnx file, or a folder for a checkpoint's files, which is made.")
  private void target(String name) {
    // a path forgets the / at its end
    isFolder = name.endsWith("/");
    target = Path.of(name);
  }

  private Path target;
  private boolean isFolder;

  @Mixin private Common.Archived archived;
  @Mixin private Common.Format format;

  @Override
  public Integer call() throws IOException {
    String name = target.toString();
    boolean isFile = !isFolder && (name.endsWith(".filigree") || name.endsWith(".onnx"));
    check(isFile);
    boolean opens;
    long start = System.nanoTime();
    try (ProgressBars progress = new ProgressBars()) {
      Path input = Models.file(source.model, progress);
      Common.checkOther("TARGET", target, input);
      if (!isFile && input.toString().endsWith(".safetensors")) {
        // a checkpoint's tensors have one name in every folder
        Common.checkOther("TARGET", target, input.toAbsolutePath().getParent());
      }
      try (Model model = Model.open(input)) {
        if (isFile && name.endsWith(".filigree")) {
          model.writer().archive(archived.archive).write(target);
        } else if (isFile) {
          model.writeOnnx(target);
        } else {
          CheckpointWriter.write(model, target);
        }
        if (isFile) {
          Models.checkSame(model, target);
        }
        opens = isFile || model.documents().containsKey(Checkpoint.CONFIG);
      }
      progress.finish();
      report(input, opens, (System.nanoTime() - start) / 1e6);
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
    boolean isMisspelt =
        !Files.exists(target) && !isFolder && FILE_NAME.matcher(target.toString()).matches();
    if (isMisspelt || Files.exists(target) && !Files.isDirectory(target)) {
      throw new UsageException(
          "TARGET "
              + target
              + " ends in neither .filigree nor .onnx and is no folder; end it so, or in / for a"
              + " new folder");
    }
    Path parent = target.toAbsolutePath().getParent();
    if (!Files.exists(target) && parent != null) {
      Common.checkFolder("TARGET", parent);
    }
  }

  private void report(Path input, boolean opens, double millis) throws IOException {
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
              // whether there is more than weights
              .put("opens", opens)
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
    if (!opens) {
      out.println(
          "The folder has weights under their names for other tools, and no config.json of a family"
              + " that could be run from them: keep "
              + input);
    }
  }
}
