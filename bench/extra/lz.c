/* lz - an LZ77 compressor with hash chains over generated text, and its decompressor. */
#include "guest.h"

GUEST("lz", 60);

enum { TEXT = 65536, HASH = 4096, CHAIN = 12, MIN_MATCH = 4, MAX_MATCH = 255 };
static uint8_t text[TEXT], packed[TEXT * 2], back[TEXT];
static int32_t head[HASH], prev[TEXT];
static uint64_t seed = 0x9E3779B97F4A7C15ull;

static NOINLINE void make_text(void)
{
    static const char *const words[] = {"ring ", "the kernel ", "page ", "fault", " and ", "segment ",
                                        "of ", "0x", "user\n", "gate ", "interrupt ", "stack"};
    unsigned n = 0;

    while (n < TEXT) {
        uint64_t r = xorshift(&seed);
        const char *w = words[r % 12];
        while (*w && n < TEXT) text[n++] = (uint8_t)*w++;
        if ((r >> 40) % 5 == 0 && n < TEXT) text[n++] = (uint8_t)('a' + (r >> 50) % 26);
    }
}

static unsigned hash4(const uint8_t *p)
{
    uint32_t v;
    __builtin_memcpy(&v, p, 4);
    return v * 2654435761u >> 20;
}

static NOINLINE unsigned compress(void)
{
    unsigned out = 0, literals = 0, literal_at = 0;

    for (unsigned i = 0; i < HASH; i++) head[i] = -1;
    for (unsigned i = 0; i < TEXT;) {
        unsigned best = 0, distance = 0;
        if (i + MIN_MATCH <= TEXT) {
            unsigned h = hash4(text + i), tries = CHAIN;
            unsigned room = TEXT - i < MAX_MATCH ? TEXT - i : MAX_MATCH;
            for (int32_t at = head[h]; at >= 0 && tries-- && i - (unsigned)at < 65535; at = prev[at]) {
                unsigned len = 0;
                while (len < room && text[(unsigned)at + len] == text[i + len]) len++;
                if (len > best) best = len, distance = i - (unsigned)at;
            }
            prev[i] = head[h];
            head[h] = (int32_t)i;
        }
        if (best >= MIN_MATCH) {
            packed[out++] = (uint8_t)best;
            packed[out++] = (uint8_t)distance;
            packed[out++] = (uint8_t)(distance >> 8);
            i += best;
            literals = 0;
        } else {
            if (!literals || literals == 255) {
                packed[out++] = 0;
                literal_at = out++;
                literals = 0;
            }
            packed[literal_at] = (uint8_t)++literals;
            packed[out++] = text[i++];
        }
    }
    return out;
}

static NOINLINE unsigned expand(unsigned size)
{
    unsigned out = 0;

    for (unsigned i = 0; i < size;) {
        unsigned len = packed[i++];
        if (len) {
            unsigned from = out - (packed[i] | (unsigned)packed[i + 1] << 8);
            i += 2;
            while (len--) back[out++] = back[from++];
        } else {
            for (len = packed[i++]; len; len--) back[out++] = packed[i++];
        }
    }
    return out;
}

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = 0;

    while (n--) {
        make_text();
        unsigned size = compress(), full = expand(size), wrong = 0;
        for (unsigned i = 0; i < TEXT; i++) wrong += text[i] != back[i];
        sum = mix64(sum, size + ((uint64_t)wrong << 32) + ((uint64_t)full << 40));
    }
    return sum;
}
