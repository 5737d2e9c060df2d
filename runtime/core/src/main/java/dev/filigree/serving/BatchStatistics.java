package dev.filigree.serving;

/**
 * What a batcher has done so far.
 *
 * @param requests that were run
 * @param batches they were run in
 * @param rejected requests that found the queue full or the batcher closed
 * @param abandoned requests that were cancelled or whose deadline passed before they ran
 * @param failed requests whose run failed
 * @param waiting requests that wait now
 * @param latencyNanos time from a request's arrival to its answer
 * @param waitNanos time from a request's arrival to the start of its run
 * @param batchRows rows that ran together
 */
public record BatchStatistics(
    long requests,
    long batches,
    long rejected,
    long abandoned,
    long failed,
    int waiting,
    Distribution latencyNanos,
    Distribution waitNanos,
    Distribution batchRows) {}
