// The fuzzer's entry: hands each input to the target that APUS_FUZZ_TARGET names.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int32_t apus_fuzz(const char *target, const uint8_t *bytes, intptr_t count);

static const char *target;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    target = getenv("APUS_FUZZ_TARGET");
    if (target == NULL || apus_fuzz(target, NULL, 0) != 0) {
        fprintf(stderr, "APUS_FUZZ_TARGET names no target\n");
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    apus_fuzz(target, bytes, (intptr_t)count);
    return 0;
}
