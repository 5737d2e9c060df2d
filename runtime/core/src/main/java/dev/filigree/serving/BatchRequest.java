package dev.filigree.serving;

import dev.filigree.Tensor;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * A request that waits or runs.
 *
 * @param inputs by name
 * @param signature what requests that run with it must have in common
 * @param rows it takes of a batch
 * @param bytes of its inputs
 * @param arrived when, by {@link System#nanoTime}
 * @param result receives the outputs; done early when it is cancelled or its deadline passes
 */
record BatchRequest(
    Map<String, Tensor> inputs,
    Map<String, List<Long>> signature,
    long rows,
    long bytes,
    long arrived,
    CompletableFuture<Map<String, Tensor>> result) {}
