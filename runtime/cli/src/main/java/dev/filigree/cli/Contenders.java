package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Precision;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.compress.Recipe;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.plan.LayerTime;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The models, sessions and other runtimes that are measured with one number of threads. */
final class Contenders implements AutoCloseable {
  /** Name of a model whose layers quantise their inputs themselves. */
  private static final String QUANTISED = "int8 of the file";

  private final List<Model> models = new ArrayList<>();
  private final List<Own> own = new ArrayList<>();
  private final List<Other> others = new ArrayList<>();

  /** A session of this runtime. */
  private record Own(String recipe, Model model, Session session) {}

  /** A session of another runtime. */
  private record Other(
      PeerRuntime runtime, String recipe, Model model, PeerRuntime.Session session) {}

  /**
   * One of them, ready to run on some inputs.
   *
   * @param precision empty for another runtime
   */
  record Contender(
      String runtime,
      String recipe,
      String precision,
      String device,
      Measurement.Subject subject) {}

  /**
   * Opens everything: the other runtimes first, which are the baseline, then the model as it is,
   * then the recipes.
   */
  static Contenders open(
      Path file,
      List<PeerRuntime> peers,
      List<Recipe> recipes,
      List<Precision> precisions,
      SessionOptions options,
      Progress progress) {
    Contenders all = new Contenders();
    try {
      Model plain = all.open(file);
      if (!peers.isEmpty()) {
        Path onnx = Models.onnx(file, plain, progress);
        for (PeerRuntime peer : peers) {
          all.others.add(
              new Other(peer, recipe(plain), plain, peer.open(plain, onnx, options.threads())));
        }
      }
      all.add(recipe(plain), plain, precisions, options);
      for (Recipe recipe : recipes) {
        if (!recipe.isEmpty()) {
          Path compressed = Models.compressed(file, recipe, options.threads(), progress);
          all.add(recipe.name(), all.open(compressed), precisions, options);
        }
      }
      return all;
    } catch (RuntimeException failed) {
      all.close();
      throw failed;
    }
  }

  private Model open(Path file) {
    models.add(Model.open(file));
    return models.getLast();
  }

  private void add(String recipe, Model model, List<Precision> precisions, SessionOptions options) {
    for (Precision precision : precisions) {
      own.add(new Own(recipe, model, model.session(options.withPrecision(precision))));
    }
  }

  /** The recipe of a model as it is. */
  private static String recipe(Model model) {
    boolean quantised =
        model.graph().nodes().stream()
            .anyMatch(node -> node.type().equals(Linear.TYPE) && Linear.isDynamic(node));
    return quantised ? QUANTISED : Models.recipe(model);
  }

  /** The model as it is. */
  Model first() {
    return models.getFirst();
  }

  /** Prepares all of them for inputs. */
  List<Contender> prepare(Function<Model, Map<String, Tensor>> inputs, Progress progress) {
    List<Contender> ready = new ArrayList<>();
    for (Other other : others) {
      PeerRuntime.Run run = other.session.prepare(inputs.apply(other.model));
      ready.add(
          new Contender(
              other.runtime.name(),
              other.recipe,
              "",
              "cpu",
              new Measurement.Subject() {
                @Override
                public void run() {
                  run.run();
                }

                @Override
                public float[] output() {
                  return run.output();
                }

                @Override
                public void close() {
                  run.close();
                }
              }));
    }
    for (Own each : own) {
      Map<String, Tensor> tensors = inputs.apply(each.model);
      each.session.warmUp(tensors, progress);
      Map<String, Tensor> outputs = each.session.run(tensors);
      ready.add(
          new Contender(
              "filigree",
              each.recipe,
              each.session.options().precision().toString(),
              each.session.device().toString(),
              new Measurement.Subject() {
                @Override
                public void run() {
                  each.session.run(tensors, outputs);
                }

                @Override
                public float[] output() {
                  return outputs.get(each.model.outputs().getFirst().name()).toFloats();
                }

                @Override
                public boolean hasProfile() {
                  return true;
                }

                @Override
                public List<LayerTime> profile() {
                  return each.session.profile(tensors);
                }

                @Override
                public void close() {}
              }));
    }
    return ready;
  }

  @Override
  public void close() {
    others.forEach(other -> other.session.close());
    own.forEach(each -> each.session.close());
    models.forEach(Model::close);
  }
}
