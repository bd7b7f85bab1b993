/*
 * embed.c - Ringside in a program of one's own: boot an image, watch what is refused, say how it ended.
 *
 *     embed IMAGE            cc embed.c $(pkg-config --cflags --libs ringside)
 */
#include <ringside/ringside.h>

#include <stdio.h>
#include <stdlib.h>

/* Called for each refused check, while the guest runs. Returning true would stop the machine. */
static bool on_refusal(void *ctx, rs_machine *m, const struct rs_event *event)
{
    char line[512];

    if (rs_event_format(m, event, RS_LOG_TEXT, line, sizeof line)) fputs(line, stdout);
    ++*(unsigned *)ctx;
    return false;
}

static void *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *bytes = NULL;

    *size = 0;
    if (!f) return NULL;
    if (fseek(f, 0, SEEK_END) == 0) {
        long end = ftell(f);
        rewind(f);
        bytes = end > 0 ? malloc((size_t)end) : NULL;
        if (bytes) *size = fread(bytes, 1, (size_t)end, f);
    }
    fclose(f);
    return bytes;
}

int main(int argc, char **argv)
{
    struct rs_config config;
    struct rs_limits limits = {.struct_size = sizeof limits, .insns = 1000000000};
    struct rs_stop_info stop;
    rs_machine *m;
    unsigned refusals = 0, id;
    char error[200];
    size_t size;
    void *image = argc == 2 ? read_file(argv[1], &size) : NULL;

    if (!image) {
        fprintf(stderr, "usage: embed IMAGE\n");
        return 2;
    }
    rs_config_init(&config);
    if (rs_create(&config, &m, error, sizeof error) != RS_OK) {
        fprintf(stderr, "embed: %s\n", error);
        return 2;
    }
    if (rs_load_image(m, image, size, argv[1], "") != RS_OK ||
        rs_observer_add(m, RS_MASK(RS_EV_CHECK), true, on_refusal, &refusals, &id) != RS_OK ||
        rs_run(m, &limits, &stop) != RS_OK) {
        fprintf(stderr, "embed: %s\n", rs_error(m));
        rs_destroy(m);
        return 3;
    }
    printf("%s with %llu after %llu instructions, %llu cycles; %u checks refused\n",
           rs_stop_reason_name(stop.reason), (unsigned long long)stop.guest_value,
           (unsigned long long)stop.insns, (unsigned long long)stop.cycles, refusals);
    rs_destroy(m);
    free(image);
    return stop.reason == RS_STOP_GUEST_EXIT ? (int)stop.guest_value : 1;
}
