/* cases64.c - the cases of 64-bit mode (cases64.def). */
#include "world.h"

__asm__(".text\n.globl on_syscall\non_syscall: mov %r11, %rax\nand $0x100, %eax\nint $0x81");

#define CASE CODE
#include "cases64.def"
#undef CASE
#undef BAD
#undef WATCH
#undef FRAME
#undef FRAME_SS
#undef GATE_ABSENT
#undef IDT_ENDS
#undef MASK
#undef MSR
#undef TR_AGAIN

const struct kase cases[] = {
#define CASE ROW
#include "cases64.def"
};
const int case_count = sizeof cases / sizeof *cases;
