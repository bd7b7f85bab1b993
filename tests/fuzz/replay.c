/*
 * replay.c - main() for a fuzz target where there is no libFuzzer: runs it once on each file of the
 * folders and files named, so that what was once found stays found.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static unsigned count;

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        perror(path);
        exit(1);
    }
    rewind(file);
    uint8_t *bytes = malloc((size_t)size + 1);

    if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    (void)LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
    count++;
}

static void replay(const char *path)
{
    struct dirent **names;
    struct stat status;

    if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode)) {
        replay_file(path);
        return;
    }
    int n = scandir(path, &names, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        char *inside;

        if (names[i]->d_name[0] != '.' && asprintf(&inside, "%s/%s", path, names[i]->d_name) >= 0) {
            replay(inside);
            free(inside);
        }
        free(names[i]);
    }
    if (n >= 0) free(names);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) replay(argv[i]);
    printf("%u inputs\n", count);
    return count ? 0 : 1;
}
