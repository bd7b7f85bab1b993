/*
 * usercopy.S - size_t copy_bytes(void *to, const void *from, size_t size): the one place where
 * ring 0 touches user memory. Returns how many bytes it could not copy, 0 when all went well.
 *
 * The copy may fault; usercopy_fixup() then resumes at the address that the table pairs with it.
 * STAC lifts SMAP for just this instruction, on a processor that has it.
 */
    .text
    .globl copy_bytes
    .type copy_bytes, @function
copy_bytes:
    movq %rdx, %rcx
    cmpb $0, cpu_has_smap(%rip)
    jne copy_under_smap
copy_plain:
    rep movsb
copy_plain_done:
    movq %rcx, %rax
    ret

copy_under_smap:
    stac
copy_lifted:
    rep movsb
copy_lifted_done:
    clac
    movq %rcx, %rax
    ret

    .section .fixups, "a"
    .quad copy_plain, copy_plain_done
    .quad copy_lifted, copy_lifted_done
