/*
 * usercopy.c - moves bytes between the kernel and the process that runs, trusting nothing: the
 * range must lie in the user half, and a page that refuses makes the copy fail, not the kernel.
 */
#include "defs.h"
#include "trap.h"

/* An instruction that may fault, and where to go on when it did. Constant; usercopy.S fills it. */
struct fixup {
    uint64_t faulting_rip, resume_rip;
};

extern const struct fixup fixups_start[], fixups_end[];

bool user_range_ok(uint64_t lin, uint64_t size)
{
    return lin <= USER_END && size <= USER_END - lin;
}

int copy_from_user(void *to, uint64_t from, size_t size)
{
    if (!user_range_ok(from, size)) return -EFAULT;
    return copy_bytes(to, (const void *)from, size) ? -EFAULT : 0;
}

int copy_to_user(uint64_t to, const void *from, size_t size)
{
    if (!user_range_ok(to, size)) return -EFAULT;
    return copy_bytes((void *)to, from, size) ? -EFAULT : 0;
}

/* Copies a string and its final zero into `room` bytes. Returns its length, or an error. */
long copy_string_from_user(char *to, uint64_t from, size_t room)
{
    for (size_t i = 0; i < room; i++) {
        if (copy_from_user(&to[i], from + i, 1)) return -EFAULT;
        if (!to[i]) return (long)i;
    }
    return -ENAMETOOLONG;
}

/* For a fault in ring 0: resumes at the fix-up if the instruction has one, else returns false. */
bool usercopy_fixup(struct trapframe *tf)
{
    for (const struct fixup *f = fixups_start; f < fixups_end; f++) {
        if (f->faulting_rip != tf->rip) continue;
        tf->rip = f->resume_rip;
        return true;
    }
    return false;
}
