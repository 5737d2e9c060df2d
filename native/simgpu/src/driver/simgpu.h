/* The simulated device's own interface, exported by libcuda.so.1 beside CUDA's: settings, findings, counters. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Resets all settings to the environment's and applies "key=value" words (see driver/configuration.h). 0, or 1 with a
    reason in simgpuMessage(); the device itself can only be changed while no context exists. */
int simgpuConfigure(const char* words);

/** Why the calling thread's last simgpuConfigure failed; never null. */
const char* simgpuMessage(void);

/** Ends every context as if its program had ended it: runs what is pending and reports what was not freed. */
void simgpuEndContexts(void);

/** Forgets findings and counters; calls are counted anew, for faults on demand, by simgpuConfigure. */
void simgpuClear(void);

/** JSON texts, to be given back to simgpuFree. The findings and launches since the last simgpuClear; the opcodes a
    module contains; the parameters of a function. Null for a handle that is none. */
char* simgpuFindings(void);
char* simgpuCounters(void);
char* simgpuProjection(void);
char* simgpuProjectionTable(void); /* not JSON but a text to be read */
char* simgpuOpcodes(void* module);
char* simgpuSignature(void* function);
char* simgpuKernelSignature(const char* kernel); /* of the module loaded last that has such a kernel */
void simgpuFree(char* text);

/* For the libraries that stand on this driver. */

/** Notes that a function was called that is not simulated, once per name. */
void simgpuNotSimulated(const char* function);

/** Notes why a library's function refuses a call. */
void simgpuRefused(const char* function, const char* reason);

/** The kind of memory at an address: 0 pageable or unknown, 1 live device memory, 2 freed, 3 pinned or managed memory,
    which both sides can read; and how many bytes there are from there to the end of its allocation. */
int simgpuMemoryAt(uint64_t address, uint64_t* bytesLeft);

/** Whether a stream handle is one of the calling thread's current context. */
int simgpuStreamIsValid(void* stream);

/** Device memory a library's work reads, or writes: `rows` rows of `bytes` bytes, `pitch` bytes apart. */
typedef struct {
  const char* name; /* of the argument, for findings */
  uint64_t address;
  uint64_t bytes;
  uint64_t rows;
  uint64_t pitch;
  int written;
} simgpuRange;

/** Queues a library's work in a stream. Before it runs, what it reads must have been written by somebody; afterwards
    what it writes has been. `run` returns a CUresult and gets `data`, which `discard` releases when the work can no
    longer run. Returns a CUresult. */
int simgpuSubmit(void* stream, const char* name, const simgpuRange* ranges, size_t count, int (*run)(void* data),
                 void* data, void (*discard)(void* data));

#ifdef __cplusplus
}
#endif
