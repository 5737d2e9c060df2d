package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Which expert computes which tokens. The tokens of an expert are gathered in units of a fixed
 * width, one expert after the other, as many units in a round as there is room for; an expert that
 * no token chose has none. Nothing is allocated.
 *
 * <pre>
 *   unit 0            unit 1            unit 2
 *   t3 t7 t8 t21      t30 . . .         t0 t3 t9 .
 *   \---- expert 0 -----------/         \-- expert 4
 * </pre>
 */
final class ExpertRounds {
  private final Slot shares;
  private final Panels panels;
  private final int features;
  private final int experts;
  private final int width;
  private final int capacity;

  private final int[] expertOf;
  private final int[] firstUnit;
  private final int[] endUnit;
  private final int[] jobOf;

  /** Of each place in a unit where its token's first feature lies in a value, or -1. */
  private final long[] places;

  private final int[] steps;
  private final float[] factors;

  private int tokens;
  private int expert;
  private int token;
  private int jobs;
  private int units;

  /**
   * No rounds yet.
   *
   * @param shares {@code [tokens, columns]} in rows
   * @param panels of the values that are gathered
   * @param features of these values
   * @param width tokens of a unit
   * @param capacity units of a round
   */
  ExpertRounds(Slot shares, Panels panels, int features, int experts, int width, int capacity) {
    this.shares = shares;
    this.panels = panels;
    this.features = features;
    this.experts = experts;
    this.width = width;
    this.capacity = capacity;
    this.expertOf = new int[capacity];
    this.firstUnit = new int[capacity];
    this.endUnit = new int[capacity];
    this.jobOf = new int[capacity];
    this.places = new long[capacity * width];
    this.steps = new int[capacity * width];
    this.factors = new float[capacity * width];
  }

  /** Begins with the first expert and the first of some tokens. */
  void begin(int count) {
    tokens = count;
    expert = 0;
    token = 0;
  }

  /** Fills a round; false if no token is left. */
  boolean next(MemorySegment memory) {
    jobs = 0;
    units = 0;
    while (expert < experts && units < capacity) {
      int first = units;
      while (token < tokens && units < capacity) {
        if (fill(memory)) {
          jobOf[units++] = jobs;
        }
      }
      if (units > first) {
        expertOf[jobs] = expert;
        firstUnit[jobs] = first;
        endUnit[jobs++] = units;
      }
      if (token == tokens) {
        expert++;
        token = 0;
      }
    }
    return jobs > 0;
  }

  /** Gathers the next tokens of the expert into the next unit; false if there are none. */
  private boolean fill(MemorySegment memory) {
    int columns = shares.features();
    int lane = 0;
    for (; token < tokens && lane < width; token++) {
      long at = (long) token * columns + expert;
      float share = memory.get(DType.FLOAT, shares.offset() + at * Float.BYTES);
      if (share != 0) {
        int panel = panels.of(token);
        int place = units * width + lane++;
        places[place] =
            panels.offset(panel, features) + (long) (token - panels.start(panel)) * Float.BYTES;
        steps[place] = panels.width(panel) * Float.BYTES;
        factors[place] = share;
      }
    }
    for (int rest = lane; rest < width && lane > 0; rest++) {
      places[units * width + rest] = -1;
    }
    return lane > 0;
  }

  /** Experts of the round; one that did not fit whole is in the next round again. */
  int jobs() {
    return jobs;
  }

  int expert(int job) {
    return expertOf[job];
  }

  int firstUnit(int job) {
    return firstUnit[job];
  }

  int endUnit(int job) {
    return endUnit[job];
  }

  /** Units of the round. */
  int units() {
    return units;
  }

  /** The job that a unit belongs to. */
  int job(int unit) {
    return jobOf[unit];
  }

  /** Tokens of a unit. */
  int width() {
    return width;
  }

  /** Byte offset of a token's first feature in a value, or -1 if the place is empty. */
  long place(int unit, int lane) {
    return places[unit * width + lane];
  }

  /** Bytes from one feature of a token to the next. */
  int step(int unit, int lane) {
    return steps[unit * width + lane];
  }

  /** By how much the expert counts for a token. */
  float factor(int unit, int lane) {
    return factors[unit * width + lane];
  }
}
