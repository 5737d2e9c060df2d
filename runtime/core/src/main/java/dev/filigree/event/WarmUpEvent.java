package dev.filigree.event;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A session was warmed up for input shapes. */
@Name("dev.filigree.WarmUp")
@Label("Warm-up")
@Category("Filigree")
@Description("A session was warmed up for input shapes")
@StackTrace(false)
public final class WarmUpEvent extends Event {
  @Label("Model")
  public String model;
}
