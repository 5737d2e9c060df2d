package dev.filigree.kernels.cpu;

/**
 * How a token is rounded to 8 bits: the scalar twin of the encoders.
 *
 * @param codes 0 to 255
 */
record TokenCodes(float scale, int zeroPoint, int[] codes) {
  static TokenCodes of(float[] x, int at, int count) {
    float least = 0;
    float most = 0;
    for (int i = at; i < at + count; i++) {
      least = Math.min(least, x[i]);
      most = Math.max(most, x[i]);
    }
    float scale = Math.max(Float.MIN_NORMAL, most / 255 - least / 255);
    int zeroPoint = Math.clamp((long) Math.rint((0 - least) / scale), 0, 255);
    float inverse = 1 / scale;
    int[] codes = new int[count];
    for (int i = 0; i < count; i++) {
      float quotient = x[at + i] * inverse;
      float clamped = Math.min(Math.max(quotient, -zeroPoint), 255 - zeroPoint);
      codes[i] = (int) Math.rint(clamped) + zeroPoint;
    }
    return new TokenCodes(scale, zeroPoint, codes);
  }
}
