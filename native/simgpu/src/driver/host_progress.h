// Lets host functions happen although the program makes no further call: one that waits for what its function tells it,
// by a condition variable for instance, would otherwise wait for ever, since work is deferred until something waits for
// it.
#pragma once

namespace simgpu::driver {

class Driver;
struct Work;

/** Whether the work is a host function, or a graph with one. */
bool callsHost(const Work& work);

/** Notes that a call of the interface begins or ends; the quiet that host functions wait for starts anew. */
void noteCall();

/** Notes the end of a call when it goes out of scope. */
struct NotedEnd {
  NotedEnd() = default;
  NotedEnd(const NotedEnd&) = delete;
  NotedEnd& operator=(const NotedEnd&) = delete;
  ~NotedEnd() { noteCall(); }
};

/**
 * To be called, with the driver locked, when a host function was queued. When no call has been made for a while, a
 * thread of the simulation runs the streams up to the host functions that wait in them.
 */
void expectHostFunction(Driver& driver);

} // namespace simgpu::driver
