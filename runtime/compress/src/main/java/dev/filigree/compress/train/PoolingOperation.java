package dev.filigree.compress.train;

import dev.filigree.plan.WorkerPool;

/** The largest value of each window; its gradient goes to the first of the largest. */
record PoolingOperation(ConvolutionOperation.Geometry geometry, WorkerPool pool)
    implements Operation {
  @Override
  public Step forward(Signal[] inputs, boolean needsGradient) {
    Signal x = inputs[0];
    int rows = geometry.outHeight(x);
    int columns = geometry.outWidth(x);
    int planes = x.features() * x.samples();
    float[] y = new float[planes * rows * columns];
    int[] chosen = new int[y.length];
    pool.forEach(planes, (plane, worker) -> pool(x, plane, rows, columns, y, chosen));
    Signal output = new Signal(y, x.features(), x.samples(), rows, columns);
    return new Step(
        output,
        (dy, wanted) -> {
          float[] dx = new float[x.data().length];
          for (int i = 0; i < dy.length; i++) {
            if (chosen[i] >= 0) {
              dx[chosen[i]] += dy[i];
            }
          }
          return new float[][] {dx};
        });
  }

  private void pool(Signal x, int plane, int rows, int columns, float[] y, int[] chosen) {
    int h = x.inner()[0];
    int w = x.inner()[1];
    for (int oy = 0; oy < rows; oy++) {
      for (int ox = 0; ox < columns; ox++) {
        float best = Float.NEGATIVE_INFINITY;
        int at = -1;
        int top = oy * geometry.down() - geometry.top();
        int left = ox * geometry.across() - geometry.left();
        for (int iy = Math.max(0, top); iy < Math.min(h, top + geometry.height()); iy++) {
          for (int ix = Math.max(0, left); ix < Math.min(w, left + geometry.width()); ix++) {
            int i = (plane * h + iy) * w + ix;
            if (x.data()[i] > best) {
              best = x.data()[i];
              at = i;
            }
          }
        }
        int o = (plane * rows + oy) * columns + ox;
        y[o] = best;
        chosen[o] = at;
      }
    }
  }
}
