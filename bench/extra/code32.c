/* code32 - 32-bit code in flat segments: table, stack, calls, multiplications, byte and word operands. */
#include "legacy.h"

GUEST("code32", 1500);

__asm__(".text; .code32; .globl body32\n"
        "body32: mov $0x04000000, %esi\n"
        "1: mov %ecx, %edx; and $1023, %edx\n"
        "   mov (%esi,%edx,4), %ebx; add %ecx, %ebx; mov %ebx, (%esi,%edx,4)\n"
        "   push %ebx; call 2f; pop %edi; add %edi, %eax; rol $3, %eax\n"
        "   dec %ecx; jnz 1b\n"
        "   lret\n"
        "2: xor 64(%esi), %eax; movzwl (%esi,%edx,2), %ebp; add %ebp, %eax\n"
        "   cmp %al, 7(%esi,%edx); jae 3f; imul $0x01000193, %eax, %eax; inc %eax\n"
        "3: ret\n"
        ".code64\n");
extern const uint8_t body32[];

void kernel_setup(void) { legacy_setup(body32); }

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = 0;

    while (n--)
        sum = mix64(sum, legacy_call(LEGACY_CODE32, (uint32_t)(uintptr_t)body32, LEGACY_FLAT, 16384,
                                     (uint32_t)sum));
    return sum;
}
