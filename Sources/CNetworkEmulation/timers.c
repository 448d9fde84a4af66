#define _GNU_SOURCE
#include "CNetworkEmulation.h"

#include <sys/prctl.h>
#include <time.h>

int CNetworkEmulation_poll(struct pollfd *descriptors, size_t count, int64_t timeout) {
    struct timespec time = {.tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000};
    return ppoll(descriptors, count, timeout < 0 ? NULL : &time, NULL);
}

void CNetworkEmulation_sharpen_timers(void) {
    // Older kernels know no slack and ignore the call.
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
}
