/* script - a recursive-descent compiler for a small language, and the stack machine it feeds. */
#include "guest.h"

GUEST("script", 300);

static const char source[] =
    "a = 1; b = 0; i = 400;"
    "while i { "
    "  a = (a * 31 + i) & 65535;"
    "  if a & 1 { b = b + a / (i + 1); } else { b = b ^ (a - i * 3); }"
    "  j = 5; while j { b = b + (j << 2) - (b >> 7); j = j - 1; }"
    "  i = i - 1;"
    "}"
    "r = b * 2 + a;";

enum op { OP_NUM, OP_LOAD, OP_STORE, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_AND, OP_XOR, OP_SHL, OP_SHR, OP_JZ, OP_JMP, OP_END };
struct instr {
    uint32_t op;
    uint32_t arg;
};
static struct instr code[512];
static unsigned used;
static const char *at;

static void emit(enum op op, uint32_t arg)
{
    code[used].op = op;
    code[used++].arg = arg;
}

static void blanks(void)
{
    while (*at == ' ') at++;
}

static int take(const char *token)
{
    const char *p = at;

    while (*token && *p == *token) p++, token++;
    if (*token) return 0;
    at = p;
    blanks();
    return 1;
}

static int is_letter(char c) { return c >= 'a' && c <= 'z'; }

static NOINLINE void expression(unsigned level);

static NOINLINE void primary(void)
{
    if (take("(")) {
        expression(0);
        take(")");
    } else if (*at >= '0' && *at <= '9') {
        uint32_t v = 0;
        while (*at >= '0' && *at <= '9') v = v * 10 + (uint32_t)(*at++ - '0');
        blanks();
        emit(OP_NUM, v);
    } else {
        emit(OP_LOAD, (uint32_t)(*at++ - 'a'));
        blanks();
    }
}

static NOINLINE void expression(unsigned level)
{
    static const struct {
        unsigned level;
        const char *token;
        enum op op;
    } binary[] = {{0, "&", OP_AND}, {0, "^", OP_XOR}, {1, "<<", OP_SHL}, {1, ">>", OP_SHR},
                  {2, "+", OP_ADD}, {2, "-", OP_SUB}, {3, "*", OP_MUL}, {3, "/", OP_DIV}};

    if (level == 4) {
        primary();
        return;
    }
    expression(level + 1);
    for (unsigned i = 0; i < 8; i++) {
        if (binary[i].level == level && take(binary[i].token)) {
            expression(level + 1);
            emit(binary[i].op, 0);
            i = (unsigned)-1;
        }
    }
}

static NOINLINE void statement(void);

static void block(void)
{
    take("{");
    while (*at && *at != '}') statement();
    take("}");
}

static NOINLINE void statement(void)
{
    if (!is_letter(at[1]) && is_letter(at[0])) {
        uint32_t variable = (uint32_t)(*at++ - 'a');
        blanks();
        take("=");
        expression(0);
        take(";");
        emit(OP_STORE, variable);
    } else if (take("while")) {
        unsigned top = used, jump;
        expression(0);
        jump = used;
        emit(OP_JZ, 0);
        block();
        emit(OP_JMP, top);
        code[jump].arg = used;
    } else if (take("if")) {
        unsigned jump;
        expression(0);
        jump = used;
        emit(OP_JZ, 0);
        block();
        if (take("else")) {
            unsigned over = used;
            emit(OP_JMP, 0);
            code[jump].arg = used;
            block();
            jump = over;
        }
        code[jump].arg = used;
    }
}

static NOINLINE uint64_t execute(uint64_t start)
{
    uint64_t stack[32], var[26] = {0}, *sp = stack;

    var['c' - 'a'] = start;
    for (const struct instr *pc = code;; pc++) {
        switch (pc->op) {
        case OP_NUM: *sp++ = pc->arg; break;
        case OP_LOAD: *sp++ = var[pc->arg]; break;
        case OP_STORE: var[pc->arg] = *--sp; break;
        case OP_ADD: sp--; sp[-1] += *sp; break;
        case OP_SUB: sp--; sp[-1] -= *sp; break;
        case OP_MUL: sp--; sp[-1] *= *sp; break;
        case OP_DIV: sp--; sp[-1] /= *sp ? *sp : 1; break;
        case OP_AND: sp--; sp[-1] &= *sp; break;
        case OP_XOR: sp--; sp[-1] ^= *sp; break;
        case OP_SHL: sp--; sp[-1] <<= *sp & 63; break;
        case OP_SHR: sp--; sp[-1] >>= *sp & 63; break;
        case OP_JZ: if (!*--sp) pc = code + pc->arg - 1; break;
        case OP_JMP: pc = code + pc->arg - 1; break;
        default: return var['r' - 'a'];
        }
    }
}

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = 0;

    while (n--) {
        for (unsigned again = 0; again < 10; again++) {
            used = 0;
            at = source;
            while (*at) statement();
            emit(OP_END, 0);
            sum = mix64(sum, used);
        }
        sum = mix64(sum, execute(n));
    }
    return sum;
}
