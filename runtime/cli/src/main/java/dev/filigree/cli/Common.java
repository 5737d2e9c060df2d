package dev.filigree.cli;

import dev.filigree.Device;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Precision;
import dev.filigree.SessionOptions;
import dev.filigree.compress.Recipe;
import dev.filigree.compress.RecipeJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/** Options that several commands share. */
final class Common {
  private Common() {}

  /** What the option {@code --kernels} takes. */
  static final String KERNELS =
      "Kernel set: native, vector or scalar; on a GPU, how the names of the kernels of linear"
          + " layers begin, such as linear_dense_i8 (default: the best that can run).";

  /** The model. */
  static final class Source {
    @Parameters(
        paramLabel = "MODEL",
        description =
            "A .onnx or .filigree file, the folder of a checkpoint, or the bundled 'minilm'.")
    String model;
  }

  /** Where a model runs. */
  static final class Runtime {
    @Option(
        names = "--device",
        paramLabel = "D",
        defaultValue = "auto",
        converter = DeviceConverter.class,
        description = "auto, cpu, cuda, cuda:N or simulated (default: auto).")
    Device device = Device.auto();

    @Option(
        names = "--threads",
        paramLabel = "N",
        description = "Threads (default: all processors).")
    Integer threads;

    @Option(names = "--kernels", paramLabel = "SET", description = KERNELS)
    String kernels = "";

    @Option(
        names = "--precision",
        paramLabel = "P",
        defaultValue = "exact",
        converter = PrecisionConverter.class,
        description = "exact, bf16 or int8: how far layers may round their inputs (exact).")
    Precision precision = Precision.EXACT;

    /** Session options as the command line has them. */
    SessionOptions options() {
      return sessionOptions(device, threads, kernels).withPrecision(precision);
    }
  }

  /** Session options; {@code threads} is null for all processors. */
  static SessionOptions sessionOptions(Device device, Integer threads, String kernels) {
    try {
      SessionOptions options = SessionOptions.defaults().withDevice(device).withKernels(kernels);
      return threads == null ? options : options.withThreads(threads);
    } catch (InputException wrong) {
      throw new UsageException("--" + wrong.getMessage().replaceFirst("^option ", ""));
    }
  }

  /** The recipe a model is compressed with. */
  static final class Compressed {
    @Option(
        names = "--recipe",
        paramLabel = "R",
        defaultValue = "dense",
        converter = RecipeConverter.class,
        description = {
          // short lines, or a terminal of 80 columns would break 2:4 behind its colon
          "A recipe file (.json), or one of dense, fp16,",
          "int8, int4, 2:4, 2:4-fp16, 2:4-int8,",
          "unstructured-NN, codebook-4bit,",
          "2:4-codebook-4bit; with calibration int4-gptq,",
          "codebook-4bit-weighted, 2:4-sparsegpt,",
          "2:4-sparsegpt-int8, 2:4-distilled,",
          "2:4-distilled-int8 (default: dense)."
        })
    Recipe recipe;
  }

  /** How a .filigree file is written. */
  static final class Archived {
    @Option(
        names = "--archive",
        description = {
          "Write the entropy-coded form of a .filigree file: smaller,",
          "without loss, decoded again when it is opened."
        })
    boolean archive;
  }

  /** How results are printed. */
  static final class Format {
    @Option(names = "--json", description = "Print one JSON document instead of text.")
    boolean json;
  }

  /** Refuses a file that could not be written, before any work is done for it. */
  static void checkWritable(String option, Path file) {
    Path folder = file.toAbsolutePath().getParent();
    if (Files.isDirectory(file)) {
      throw new UsageException(option + " " + file + " is a folder; name a file inside it");
    }
    if (folder != null) {
      checkFolder(option, folder);
    }
  }

  /**
   * Refuses to write what is read, under whatever name: the original would be gone, and the next
   * run would start from what this one made of it.
   */
  static void checkOther(String option, Path file, Path input) {
    try {
      if (Files.exists(file) && Files.isSameFile(file, input)) {
        throw new UsageException(
            option
                + " "
                + file
                + " is what is read"
                + (file.equals(input) ? "" : ", " + input)
                + ", and would be overwritten; name another");
      }
    } catch (IOException refused) {
      throw new UsageException(
          option + " " + file + " cannot be looked up (" + refused + "); name another");
    }
  }

  /** Refuses a folder nothing could be written into. */
  static void checkFolder(String option, Path folder) {
    if (!Files.exists(folder)) {
      throw new UsageException(option + ": the folder " + folder + " does not exist; create it");
    }
    if (!Files.isDirectory(folder)) {
      throw new UsageException(option + ": " + folder + " is no folder; name another");
    }
    if (!Files.isWritable(folder)) {
      throw new UsageException(
          option + ": the folder " + folder + " cannot be written; name another");
    }
  }

  /** Refuses a folder that nothing could be written into, even if it were made. */
  static void checkTarget(String option, Path folder) {
    Path existing = folder.toAbsolutePath();
    while (!Files.exists(existing) && existing.getParent() != null) {
      existing = existing.getParent();
    }
    checkFolder(option, existing);
  }

  /** Makes a folder that {@link #checkTarget} let pass, where it is not there. */
  static void make(String option, Path folder) {
    try {
      Files.createDirectories(folder);
    } catch (IOException refused) {
      throw new UsageException(
          option + ": the folder " + folder + " cannot be made (" + refused + "); name another");
    }
  }

  /** Refuses a number that is not positive. */
  static void checkPositive(String option, double value) {
    if (!(value > 0)) {
      throw new UsageException(
          option
              + " is "
              + Output.format("%s", value).replaceFirst("\\.0$", "")
              + "; choose a positive number");
    }
  }

  /** Reads a device. */
  static final class DeviceConverter implements ITypeConverter<Device> {
    @Override
    public Device convert(String value) {
      try {
        return Device.parse(value);
      } catch (InputException wrong) {
        throw new TypeConversionException(wrong.getMessage());
      }
    }
  }

  /** Reads a precision. */
  static final class PrecisionConverter implements ITypeConverter<Precision> {
    @Override
    public Precision convert(String value) {
      try {
        return Precision.parse(value);
      } catch (InputException wrong) {
        throw new TypeConversionException(wrong.getMessage());
      }
    }
  }

  /** Reads a recipe by its name, or from a file. */
  static final class RecipeConverter implements ITypeConverter<Recipe> {
    @Override
    public Recipe convert(String value) {
      try {
        return value.endsWith(".json") ? RecipeJson.read(Path.of(value)) : Recipe.named(value);
      } catch (InputException | FormatException wrong) {
        throw new TypeConversionException(wrong.getMessage());
      }
    }
  }
}
