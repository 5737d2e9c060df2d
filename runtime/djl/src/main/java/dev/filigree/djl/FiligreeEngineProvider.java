package dev.filigree.djl;

import ai.djl.engine.Engine;
import ai.djl.engine.EngineProvider;

/** Lets DJL find the engine on its class path. */
public final class FiligreeEngineProvider implements EngineProvider {
  @Override
  public String getEngineName() {
    return FiligreeEngine.NAME;
  }

  @Override
  public int getEngineRank() {
    return FiligreeEngine.RANK;
  }

  @Override
  public Engine getEngine() {
    return Holder.ENGINE;
  }

  /** DJL asks every provider for its name; the engine itself is made when it is wanted. */
  private static final class Holder {
    static final Engine ENGINE = new FiligreeEngine();
  }
}
