package dev.filigree.compress;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns a fraction of all weights into one of each layer: where the magnitude lies at which that
 * fraction of all of them goes.
 */
final class GlobalThreshold {
  private GlobalThreshold() {}

  /** The same work with every global scope resolved. */
  static List<Work> resolve(List<Work> work) {
    Map<Stage.Prune, float[]> magnitudes = new HashMap<>();
    for (Work item : work) {
      if (isGlobal(item)) {
        float[] own = magnitudes(item);
        magnitudes.merge(item.prune(), own, GlobalThreshold::joined);
      }
    }
    if (magnitudes.isEmpty()) {
      return work;
    }
    magnitudes.values().forEach(Arrays::sort);
    return work.stream().map(item -> isGlobal(item) ? resolved(item, magnitudes) : item).toList();
  }

  private static boolean isGlobal(Work work) {
    return work.prune() != null
        && work.prune().structure()
            instanceof Structure.Unstructured(double s, Structure.Scope scope)
        && scope == Structure.Scope.GLOBAL;
  }

  private static float[] magnitudes(Work work) {
    boolean folded = work.prune().folded();
    float[] weights = folded ? work.acting() : work.matrix().weights().unpack();
    for (int i = 0; i < weights.length; i++) {
      weights[i] = Math.abs(weights[i]);
    }
    return weights;
  }

  private static float[] joined(float[] a, float[] b) {
    float[] both = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, both, a.length, b.length);
    return both;
  }

  private static Work resolved(Work work, Map<Stage.Prune, float[]> sorted) {
    Stage.Prune prune = work.prune();
    double sparsity = ((Structure.Unstructured) prune.structure()).sparsity();
    float[] all = sorted.get(prune);
    int pruned = (int) Math.round(all.length * sparsity);
    float threshold = all[Math.min(all.length - 1, pruned)];
    float[] own = magnitudes(work);
    int below = 0;
    for (float magnitude : own) {
      below += magnitude < threshold ? 1 : 0;
    }
    // a layer keeps one weight at least, and one that loses none is left as it is
    double share = Math.min(below, own.length - 1) / (double) own.length;
    Stage.Prune local =
        below == 0
            ? null
            : new Stage.Prune(
                prune.score(),
                new Structure.Unstructured(share),
                prune.refit(),
                prune.biasCorrection(),
                prune.damping(),
                prune.permute(),
                prune.folded(),
                prune.targets());
    return work.pruning(local);
  }
}
