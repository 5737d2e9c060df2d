package dev.filigree.cli;

import dev.filigree.Device;
import dev.filigree.InputException;
import dev.filigree.SessionOptions;
import dev.filigree.compress.Recipe;
import dev.filigree.compress.RecipeJson;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/** Options that several commands share. */
final class Common {
  private Common() {}

  /** The model, and where it runs. */
  static final class Target {
    @Parameters(
        paramLabel = "MODEL",
        description = "A .onnx or .filigree file, or the bundled model 'minilm'.")
    String model;

    @Option(
        names = "--device",
        defaultValue = "auto",
        converter = DeviceConverter.class,
        description = "auto, cpu, cuda, cuda:N or simulated (default: auto).")
    Device device;

    @Option(
        names = "--threads",
        paramLabel = "N",
        description = "Threads (default: all processors).")
    Integer threads;

    @Option(
        names = "--kernels",
        paramLabel = "SET",
        description = "Kernel set: vector or scalar (default: the best that can run).")
    String kernels = "";

    /** Session options as the command line has them. */
    SessionOptions options() {
      try {
        SessionOptions options = SessionOptions.defaults().withDevice(device).withKernels(kernels);
        return threads == null ? options : options.withThreads(threads);
      } catch (InputException wrong) {
        throw new UsageException(wrong.getMessage());
      }
    }

    /** Threads for work outside a session. */
    int workers() {
      return options().threads();
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
          "dense, fp16, int8, 2:4, 2:4-fp16, 2:4-int8, unstructured-NN, codebook-4bit,",
          "2:4-codebook-4bit, or a recipe file (.json). Default: dense."
        })
    Recipe recipe;
  }

  /** How results are printed. */
  static final class Format {
    @Option(names = "--json", description = "Print one JSON document instead of text.")
    boolean json;
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

  /** Reads a recipe by its name, or from a file. */
  static final class RecipeConverter implements ITypeConverter<Recipe> {
    @Override
    public Recipe convert(String value) {
      try {
        return value.endsWith(".json") ? RecipeJson.read(Path.of(value)) : Recipe.named(value);
      } catch (InputException wrong) {
        throw new TypeConversionException(wrong.getMessage());
      }
    }
  }
}
