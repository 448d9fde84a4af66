#define _GNU_SOURCE
#include "CNetworkEmulation.h"

#include <errno.h>
#include <sched.h>

size_t CNetworkEmulation_processors(int *processors, size_t most) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 0;
    size_t count = 0;
    for (int processor = 0; processor < CPU_SETSIZE && count < most; processor++) {
        if (CPU_ISSET(processor, &set)) processors[count++] = processor;
    }
    return count;
}

int CNetworkEmulation_keep_to(const int *processors, size_t count) {
    if (!count) return 0;
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t index = 0; index < count; index++) CPU_SET(processors[index], &set);
    return sched_setaffinity(0, sizeof set, &set) ? errno : 0;
}
