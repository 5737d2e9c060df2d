package dev.filigree.kernel;

import dev.filigree.kernel.image.GridSample;
import dev.filigree.kernel.image.Resize;
import dev.filigree.kernel.image.RoiAlign;
import dev.filigree.kernel.image.SpaceDepth;
import dev.filigree.kernel.index.Pad;
import dev.filigree.kernel.math.Activations;
import dev.filigree.kernel.math.Binary;
import dev.filigree.kernel.math.Unary;
import dev.filigree.kernel.norm.BatchNormalization;
import dev.filigree.kernel.norm.GroupNormalization;
import dev.filigree.kernel.norm.LocalResponseNormalization;
import dev.filigree.kernel.shape.Dropout;
import dev.filigree.kernel.window.Conv;
import dev.filigree.kernel.window.ConvTranspose;
import dev.filigree.kernel.window.DeformConv;
import dev.filigree.kernel.window.GlobalPool;
import dev.filigree.kernel.window.MaxUnpool;
import dev.filigree.kernel.window.Pool;
import java.util.Map;

/** Operators on planes: convolution, pooling, resizing, normalisation. */
final class ImageOperators {
  static final Map<String, Operator> TABLE =
      Map.ofEntries(
          Map.entry("AveragePool", Pool.AVERAGE),
          Map.entry("BatchNormalization", new BatchNormalization()),
          Map.entry("Conv", new Conv()),
          Map.entry("ConvTranspose", new ConvTranspose()),
          Map.entry("DeformConv", new DeformConv()),
          Map.entry("DepthToSpace", new SpaceDepth(false)),
          Map.entry("Dropout", new Dropout()),
          Map.entry("GlobalAveragePool", GlobalPool.AVERAGE),
          Map.entry("GlobalLpPool", GlobalPool.LP),
          Map.entry("GlobalMaxPool", GlobalPool.MAX),
          Map.entry("GridSample", new GridSample()),
          Map.entry("GroupNormalization", new GroupNormalization(false)),
          Map.entry("HardSigmoid", Unary.shaped(Activations::hardSigmoid)),
          Map.entry("HardSwish", Unary.floats(x -> x * Math.clamp(x / 6 + 0.5, 0.0, 1.0))),
          Map.entry("InstanceNormalization", new GroupNormalization(true)),
          Map.entry("LRN", new LocalResponseNormalization()),
          Map.entry("LeakyRelu", Unary.shaped(Activations::leakyRelu)),
          Map.entry("LpPool", Pool.LP),
          Map.entry("MaxPool", Pool.MAX),
          Map.entry("MaxUnpool", new MaxUnpool()),
          Map.entry("PRelu", Binary.PRELU),
          Map.entry("Pad", new Pad()),
          Map.entry("Resize", new Resize(false)),
          Map.entry("RoiAlign", new RoiAlign()),
          Map.entry("SpaceToDepth", new SpaceDepth(true)),
          Map.entry("Upsample", new Resize(true)));

  private ImageOperators() {}
}
