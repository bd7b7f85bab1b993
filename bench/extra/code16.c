/* code16 - 16-bit code in a code and a data segment with bases and 64-KiB limits: BX+SI addresses, stack, calls. */
#include "legacy.h"

GUEST("code16", 1500);

__asm__(".text; .code16; .align 16; .globl body16\n"
        "body16: mov $0x100, %si\n"
        "1: mov %cx, %bx; and $0x3fe, %bx\n"
        "   mov (%bx,%si), %dx; add %cx, %dx; mov %dx, (%bx,%si)\n"
        "   push %dx; call 2f; pop %di; add %di, %ax; rol $3, %ax\n"
        "   dec %cx; jnz 1b\n"
        "   lretl\n"
        "2: xor 64(%si), %ax; mov 2(%bx), %bp; add %bp, %ax\n"
        "   cmp %al, 7(%bx,%si); jae 3f; imul $0x0193, %ax, %ax; inc %ax\n"
        "3: ret\n"
        ".code64\n");
extern const uint8_t body16[];

void kernel_setup(void) { legacy_setup(body16); }

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = 0;

    while (n--)
        sum = mix64(sum, legacy_call(LEGACY_CODE16, 0, LEGACY_DATA16, 16384, (uint32_t)sum));
    return sum;
}
