/* branch - calls and indirect jumps: fib, a switch interpreter, a threaded one, function pointers. */
#include "guest.h"

GUEST("branch", 3000);

static NOINLINE uint64_t fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

enum { PUSH, ADD, SUB, MUL, XOR, DUP, SWAP, DEC, JNZ, LOAD, STORE, END };

static const uint8_t program[] = {
    PUSH, 200, STORE, 0, PUSH, 7, STORE, 1,
    /* 8: */ LOAD, 1, DUP, ADD, LOAD, 0, XOR, PUSH, 13, MUL, LOAD, 1, SUB, STORE, 1,
    LOAD, 0, LOAD, 1, SWAP, DEC, DUP, STORE, 0, SWAP, STORE, 1, JNZ, 8, END};

static NOINLINE uint64_t interpret_switch(const uint8_t *pc, uint64_t seed)
{
    uint64_t st[16], var[4] = {0, 0, seed, 0}, *sp = st;

    for (;;) {
        switch (*pc++) {
        case PUSH: *sp++ = *pc++; break;
        case ADD: sp--; sp[-1] += sp[0]; break;
        case SUB: sp--; sp[-1] -= sp[0]; break;
        case MUL: sp--; sp[-1] *= sp[0]; break;
        case XOR: sp--; sp[-1] ^= sp[0]; break;
        case DUP: sp[0] = sp[-1]; sp++; break;
        case SWAP: { uint64_t t = sp[-1]; sp[-1] = sp[-2]; sp[-2] = t; break; }
        case DEC: sp[-1]--; break;
        case JNZ: if (*--sp) pc = program + *pc; else pc++; break;
        case LOAD: *sp++ = var[*pc++ & 3]; break;
        case STORE: var[*pc++ & 3] = *--sp; break;
        default: return var[1] ^ seed;
        }
    }
}

static NOINLINE uint64_t interpret_threaded(const uint8_t *pc, uint64_t seed)
{
    static const void *const op[] = {&&push, &&add, &&sub, &&mul, &&xor_, &&dup,
                                     &&swap, &&dec, &&jnz, &&load, &&store, &&end};
    uint64_t st[16], var[4] = {0, 0, seed, 0}, *sp = st, t;
#define NEXT goto *op[*pc++]

    NEXT;
push: *sp++ = *pc++; NEXT;
add: sp--; sp[-1] += sp[0]; NEXT;
sub: sp--; sp[-1] -= sp[0]; NEXT;
mul: sp--; sp[-1] *= sp[0]; NEXT;
xor_: sp--; sp[-1] ^= sp[0]; NEXT;
dup: sp[0] = sp[-1]; sp++; NEXT;
swap: t = sp[-1]; sp[-1] = sp[-2]; sp[-2] = t; NEXT;
dec: sp[-1]--; NEXT;
jnz: if (*--sp) pc = program + *pc; else pc++; NEXT;
load: *sp++ = var[*pc++ & 3]; NEXT;
store: var[*pc++ & 3] = *--sp; NEXT;
end: return var[1] + seed;
#undef NEXT
}

static uint64_t f0(uint64_t x) { return x + 0x1234567; }
static uint64_t f1(uint64_t x) { return x ^ x >> 9; }
static uint64_t f2(uint64_t x) { return x * 5; }
static uint64_t f3(uint64_t x) { return (x << 7) | (x >> 57); }
static uint64_t (*volatile const table[4])(uint64_t) = {f0, f1, f2, f3};

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = 1;

    while (n--) {
        sum = mix64(sum, fib(16));
        sum = mix64(sum, interpret_switch(program, sum));
        sum = mix64(sum, interpret_threaded(program, sum));
        for (unsigned i = 0; i < 2000; i++) sum = table[(sum >> 5 ^ i) & 3](sum);
    }
    return sum;
}
