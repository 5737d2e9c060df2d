package dev.filigree.event;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/** Requests of several callers ran together. */
@Name("dev.filigree.Batch")
@Label("Batch")
@Category("Filigree")
@Description("Requests of several callers ran together")
@StackTrace(false)
public final class BatchEvent extends Event {
  @Label("Model")
  public String model;

  @Label("Requests")
  public int requests;

  @Label("Rows")
  public long rows;

  @Label("Longest Wait")
  @Timespan(Timespan.NANOSECONDS)
  public long waitNanos;
}
