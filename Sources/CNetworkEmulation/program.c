#define _GNU_SOURCE
#include "CNetworkEmulation.h"
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_DESCRIPTORS = 16 };

/// The parent may ignore signals to handle them otherwise. Ignoring and blocking are inherited; the program must be able
/// to be ended.
static void reset_signals(void) {
    const int numbers[] = {SIGHUP, SIGINT, SIGPIPE, SIGTERM};
    for (size_t index = 0; index < sizeof numbers / sizeof *numbers; index++) signal(numbers[index], SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/// Gives the program its descriptors under the numbers 0, 1, 2 and so on.
static int place_descriptors(const CNetworkEmulation_program *program) {
    int copies[MOST_DESCRIPTORS];
    if (program->descriptor_count > MOST_DESCRIPTORS) return errno = EINVAL, -1;
    // Out of the way of those numbers first: one may be the source of another.
    for (size_t index = 0; index < program->descriptor_count; index++) {
        copies[index] = fcntl(program->descriptors[index], F_DUPFD_CLOEXEC, MOST_DESCRIPTORS);
        if (copies[index] < 0) return -1;
    }
    for (size_t index = 0; index < program->descriptor_count; index++) {
        if (dup2(copies[index], (int)index) < 0) return -1;
    }
    return 0;
}

/// Returns only when the program could not be started, with errno.
static void become(const CNetworkEmulation_program *program, pid_t parent) {
    if (enter(program->user, program->network)) return;
    // Entering a user namespace would undo it (prctl(2)), so it comes after. The parent may have ended before.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent) return;
    // Ctrl-C reaches the parent alone, which ends the programs in its own order.
    if (setpgid(0, 0)) return;
    if (CNetworkEmulation_keep_to(program->processors, program->processor_count)) return;
    reset_signals();
    if (place_descriptors(program)) return;
    execv(program->executable, program->arguments);
}

int CNetworkEmulation_start(const CNetworkEmulation_program *program, pid_t *id) {
    // Closes without a word when the program has started.
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return errno;
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        // Out of the way of the program's descriptors.
        int report = fcntl(ends[1], F_DUPFD_CLOEXEC, 2 * MOST_DESCRIPTORS);
        become(program, parent);
        int error = errno;
        (void)!write(report, &error, sizeof error);
        _exit(127);
    }
    int error = errno;
    close(ends[1]);
    ssize_t count = -1;
    if (child > 0) {
        do count = read(ends[0], &error, sizeof error);
        while (count < 0 && errno == EINTR);
    }
    close(ends[0]);
    if (count == 0) {
        *id = child;
        return 0;
    }
    if (child > 0) wait_for(child);
    return error;
}

int CNetworkEmulation_socket(int user, int network, int domain, int type) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) return -errno;
    pid_t child = fork();
    if (child == 0) {
        int made = enter(user, network) ? -1 : socket(domain, type | SOCK_CLOEXEC, 0);
        send_descriptors(ends[1], (outcome){made < 0 ? errno : 0, 0}, &made, made < 0 ? 0 : 1);
        _exit(0);
    }
    int made = -1;
    outcome result = outcome_of(child, ends, &made, 1);
    return result.error ? -result.error : made;
}
