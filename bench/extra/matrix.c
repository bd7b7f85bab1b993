/* matrix - integer matrix product, edit distance, N queens, and long division of big numbers. */
#include "guest.h"

GUEST("matrix", 60);

enum { N = 48, LEN = 300, QUEENS = 7, LIMBS = 64 };
static int32_t a[N][N], b[N][N], c[N][N];
static uint8_t s[LEN], t[LEN];
static uint16_t row[2][LEN + 1];
static uint32_t big[LIMBS];
static uint64_t seed = 0xA0761D6478BD642Full;

static NOINLINE int64_t product(void)
{
    int64_t trace = 0;

    for (unsigned i = 0; i < N; i++)
        for (unsigned j = 0; j < N; j++) {
            int32_t acc = 0;
            for (unsigned k = 0; k < N; k++) acc += a[i][k] * b[k][j];
            c[i][j] = acc;
        }
    for (unsigned i = 0; i < N; i++) trace += c[i][i];
    return trace;
}

static NOINLINE unsigned distance(void)
{
    for (unsigned j = 0; j <= LEN; j++) row[0][j] = (uint16_t)j;
    for (unsigned i = 1; i <= LEN; i++) {
        uint16_t *up = row[~i & 1], *now = row[i & 1];
        now[0] = (uint16_t)i;
        for (unsigned j = 1; j <= LEN; j++) {
            unsigned best = up[j - 1] + (s[i - 1] != t[j - 1]);
            if (up[j] + 1u < best) best = up[j] + 1u;
            if (now[j - 1] + 1u < best) best = now[j - 1] + 1u;
            now[j] = (uint16_t)best;
        }
    }
    return row[LEN & 1][LEN];
}

static NOINLINE unsigned queens(unsigned depth, unsigned columns, unsigned left, unsigned right)
{
    unsigned count = 0, free = ~(columns | left | right) & ((1u << QUEENS) - 1);

    if (depth == QUEENS) return 1;
    while (free) {
        unsigned bit = free & -free;
        free ^= bit;
        count += queens(depth + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return count;
}

static NOINLINE uint64_t digits(void)
{
    uint64_t h = 0;

    for (unsigned d = 0; d < 24; d++) {
        uint64_t rest = 0;
        for (unsigned i = LIMBS; i-- > 0;) {
            rest = rest << 32 | big[i];
            big[i] = (uint32_t)(rest / 1000000007u);
            rest %= 1000000007u;
        }
        h = h * 131 + rest;
    }
    return h;
}

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = 0;

    while (n--) {
        for (unsigned i = 0; i < N * N; i++) {
            uint64_t r = xorshift(&seed);
            a[i / N][i % N] = (int32_t)(r & 0xFFFF) - 0x8000;
            b[i / N][i % N] = (int32_t)(r >> 20 & 0xFF);
            if (i < LEN) s[i] = r >> 33 & 3, t[i] = r >> 36 & 3;
            if (i < LIMBS) big[i] = (uint32_t)(r >> 13);
        }
        sum = mix64(sum, (uint64_t)product());
        sum = mix64(sum, distance());
        sum = mix64(sum, queens(0, 0, 0, 0));
        sum = mix64(sum, digits());
    }
    return sum;
}
