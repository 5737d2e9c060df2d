package dev.filigree.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A model was opened. */
@Name("dev.filigree.Load")
@Label("Load")
@Category("Filigree")
@Description("A model was opened")
@StackTrace(false)
public final class LoadEvent extends Event {
  @Label("Path")
  public String path;

  @Label("Weights")
  @DataAmount
  public long bytes;
}
