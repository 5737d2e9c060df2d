// What can be chosen about the simulated device, by environment or by simgpuConfigure.
#pragma once

#include "driver/fault_plan.h"
#include "exec/engine.h"

#include <string>
#include <string_view>

namespace simgpu::driver {

/**
 * Written as words `key=value` between white space; each key is also an environment variable, such as
 * FILIGREE_SIMGPU_DEVICE for `device`:
 *
 *   device=a100|a10|rtx3090|rtx5090   memory=BYTES          checks=on|off      exact=on|off     traffic=on|off
 *   lockstep=on|off           workers=N              watchdog=N            findings=N         async=deferred|eager
 *   report=stderr|off         times=wall|projected  guard=on|off       rehearsal=on|off
 *   faults=LIST (see FaultPlan)
 */
struct Configuration {
  DeviceModel model = DeviceModel::a100();
  Settings engine;
  /** Asynchronous work runs when something waits for it; otherwise at once. */
  bool deferred = true;
  /** Event times are projected device times; otherwise those of the simulation on this machine. */
  bool projectedTimes = false;
  /** Pinned memory is inaccessible to the host while a copy into it waits, so that a touch is found. */
  bool guard = true;
  /** The device does not call itself simulated, so that programs do with it what they would do with a real one. */
  bool rehearsal = false;
  /** Findings are printed to standard error as they are made. */
  bool reportToStderr = true;
  FaultPlan faults;

  /** The defaults, changed by the environment. An unusable variable is reported on standard error and ignored. */
  static Configuration fromEnvironment();

  /** Applies settings; on failure `problem` says why and nothing is changed. */
  bool apply(std::string_view words, std::string& problem);

private:
  bool applyOne(std::string_view key, std::string_view value, std::string& problem);
};

} // namespace simgpu::driver
