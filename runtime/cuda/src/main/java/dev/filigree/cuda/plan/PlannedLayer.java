package dev.filigree.cuda.plan;

import java.util.Optional;

/** A layer of a plan, how the plan runs it, and how it might be run. */
sealed interface PlannedLayer permits LinearLayer.Planned, ConvolutionLayer.Planned {
  /** Which layers it is measured with. */
  LayerKind kind();

  /** Its candidates bound to memory, to be measured; nothing where there is no choice. */
  Optional<LayerBench> bench(DeviceState device);
}
