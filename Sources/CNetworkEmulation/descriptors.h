// Descriptors on their way from a child that has made them to its parent.

#ifndef CNETWORKEMULATION_DESCRIPTORS_H
#define CNETWORKEMULATION_DESCRIPTORS_H

#include <stddef.h>
#include <sys/types.h>

/// How far a child came.
typedef struct {
    /// 0 or the errno.
    int error;
    int step;
} outcome;

/// Sends an outcome with `count` descriptors, at most 8.
void send_descriptors(int channel, outcome outcome, const int *descriptors, size_t count);

/// The parent's half after fork(2), whose result is `child` and may be an error: receives what the child sends on the
/// second of `ends`, all `count` descriptors, closed on exec, or an outcome with an error. Closes both ends and waits
/// for the child.
outcome outcome_of(pid_t child, const int ends[2], int *descriptors, size_t count);

/// Waits until a child has ended.
void wait_for(pid_t child);

/// Enters a user namespace and a network namespace; -1 stays. Returns 0, or -1 with errno.
int enter(int user, int network);

#endif
