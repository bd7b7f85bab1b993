/*
 * fuzz_image.c - any bytes as an image: loaded or refused with one clear line, never worse; what was
 * loaded runs a little, under a small budget of RAM.
 */
#include <stdlib.h>
#include <string.h>

#include "ringside/ringside.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct rs_config config;
    struct rs_limits limits = {.struct_size = sizeof limits, .insns = 2000};
    struct rs_stop_info stop;
    rs_machine *m;

    rs_config_init(&config);
    config.mem_bytes = 16u << 20;
    if (rs_create(&config, &m, NULL, 0) != RS_OK) abort();
    rs_status status = rs_load_image(m, bytes, size, "fuzz", "a=1 b");

    if (status == RS_OK) (void)rs_run(m, &limits, &stop);
    else if (strlen(rs_error(m)) == 0 || strchr(rs_error(m), '\n')) abort();
    rs_destroy(m);
    return 0;
}
