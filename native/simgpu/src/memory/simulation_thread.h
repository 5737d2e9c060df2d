// Tells threads that run the simulation from those that run the program.
#pragma once

namespace simgpu {

/**
 * Above 0 while the calling thread is inside the driver or runs part of a launch. Read in a signal handler, hence of the
 * kind that needs no call to be found.
 */
inline thread_local int insideSimulation __attribute__((tls_model("initial-exec"))) = 0;

class InsideSimulation {
public:
  InsideSimulation() { ++insideSimulation; }
  ~InsideSimulation() { --insideSimulation; }
  InsideSimulation(const InsideSimulation&) = delete;
  InsideSimulation& operator=(const InsideSimulation&) = delete;
};

} // namespace simgpu
