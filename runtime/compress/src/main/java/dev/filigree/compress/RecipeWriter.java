package dev.filigree.compress;

import java.util.Locale;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Writes recipes as {@link RecipeJson} reads them. */
final class RecipeWriter {
  private static final ObjectMapper JSON = JsonMapper.builder().build();

  private RecipeWriter() {}

  /** A recipe as JSON text. */
  static String write(Recipe recipe) {
    ObjectNode root = JSON.createObjectNode().put("version", 1).put("name", recipe.name());
    ArrayNode stages = root.putArray("stages");
    for (Stage stage : recipe.stages()) {
      ObjectNode body = JSON.createObjectNode();
      switch (stage) {
        case Stage.Prune prune -> {
          write(body, prune);
          stages.addObject().set("prune", body);
        }
        case Stage.Quantize quantize -> {
          write(body, quantize);
          stages.addObject().set("quantize", body);
        }
        case Stage.Share share -> {
          write(body, share);
          stages.addObject().set("share", body);
        }
        case Stage.Distill distill -> {
          DistillJson.write(body, distill);
          stages.addObject().set("distill", body);
          continue;
        }
        case Stage.Convert convert -> {
          body.put("dtype", convert.dtype().toString());
          stages.addObject().set("convert", body);
        }
      }
      stage.targets().targets().forEach(body.putArray("targets")::add);
      if (!stage.targets().ignore().isEmpty()) {
        stage.targets().ignore().forEach(body.putArray("ignore")::add);
      }
    }
    return root.toString();
  }

  private static void write(ObjectNode body, Stage.Prune prune) {
    body.put("method", prune.score().name().toLowerCase(Locale.ROOT));
    switch (prune.structure()) {
      case Structure.Groups groups -> body.put("mask_structure", groups.label());
      case Structure.Unstructured(double sparsity, Structure.Scope scope) ->
          body.put("mask_structure", "unstructured")
              .put("sparsity", sparsity)
              .put("scope", scope.name().toLowerCase(Locale.ROOT));
      case Structure.Block(int rows, int columns, double sparsity) ->
          body.put("mask_structure", "block " + rows + "x" + columns).put("sparsity", sparsity);
    }
    if (!prune.folded()) {
      body.put("fold_batchnorm", false);
    }
    if (prune.permute()) {
      body.put("permute", "swap");
    }
    if (prune.needsCalibration()) {
      body.put("refit", prune.refit())
          .put("bias_correction", prune.biasCorrection())
          .put("dampening_frac", prune.damping());
    }
  }

  private static void write(ObjectNode body, Stage.Quantize quantize) {
    Encoding.Integers encoding = quantize.encoding();
    body.put("bits", encoding.bits());
    switch (encoding.granularity()) {
      case TENSOR -> body.put("strategy", "tensor");
      case ROW -> body.put("strategy", "channel");
      case GROUP -> body.put("strategy", "group").put("group_size", encoding.group());
    }
    body.put("observer", encoding.searched() ? "mse" : "minmax");
    write(body, quantize.rounding());
    if (quantize.needsCalibration()) {
      body.put("actorder", quantize.byImportance())
          .put("refit", quantize.refit())
          .put("dampening_frac", quantize.damping());
    }
  }

  private static void write(ObjectNode body, Stage.Share share) {
    Encoding.Codes codes = share.encoding();
    if (codes.bits() == Encoding.Codes.AUTO) {
      body.put("bits", RecipeJson.AUTO).put("error", codes.error());
    } else {
      body.put("bits", codes.bits());
    }
    body.put("granularity", codes.granularity().name().toLowerCase(Locale.ROOT));
    if (codes.granularity() == Encoding.Granularity.GROUP) {
      body.put("group_size", codes.group());
    }
    body.put("weights", share.weighted() ? "hessian-diag" : "none")
        .put(
            "solver",
            switch (codes.start()) {
              case null -> RecipeJson.EXACT;
              case LINEAR -> "linear";
              case DENSITY -> "density";
              case RANDOM -> "random";
              case PLUS_PLUS -> "k-means++";
            })
        .put("restarts", codes.restarts());
    write(body, share.rounding());
  }

  private static void write(ObjectNode body, Stage.Rounding rounding) {
    body.put("method", rounding == Stage.Rounding.GPTQ ? "gptq" : "rtn");
  }
}
