/*
 * exec.c - replaces the program that a process runs by one from the initramfs: a static ELF64 file.
 *
 * The new address space is built beside the old one and taken up only when it is complete, so a
 * failing execve() leaves the caller as it was. The new stack, from its top down: the argument
 * strings, sixteen bytes for AT_RANDOM, then what the ABI calls the initial process stack: argc,
 * argv[], 0, (no environment) 0, and the auxiliary vector. Manual: System V ABI, AMD64 Supplement,
 * "Process Initialization".
 */
#include "defs.h"
#include "elf.h"
#include "proc.h"

#define ARG_COUNT 16
#define AUX_COUNT 12
#define RANDOM_SIZE 16

/* A program being put together; lives on the stack of exec(). */
struct image {
    const uint8_t *file;             /* the ELF file, in the initramfs */
    size_t size;                     /* bytes of it */
    const struct elf_header *header; /* its first bytes, once checked */
    uint64_t *pml4;                  /* the new address space */
    uint64_t end;                    /* first page above every segment: where the heap begins */
    uint64_t phdr;                   /* linear address of its program headers, 0 if not mapped */
    uint64_t rsp;                    /* the new stack pointer, going down as things are pushed */
};

/* A line of the auxiliary vector. Constant. */
struct aux_entry {
    uint64_t key, value;
};

static int check_header(struct image *im)
{
    const struct elf_header *h = (const void *)im->file;

    if (im->size < sizeof(*h) || memcmp(h->e_ident, ELF_MAGIC, ELF_MAGIC_SIZE) != 0)
        return -ENOEXEC;
    if (h->e_type != ET_EXEC || h->e_machine != EM_X86_64) return -ENOEXEC;
    if (h->e_phentsize != sizeof(struct elf_segment)) return -ENOEXEC;
    if (h->e_phoff > im->size || h->e_phnum > (im->size - h->e_phoff) / h->e_phentsize)
        return -ENOEXEC;
    if (!user_range_ok(h->e_entry, 1)) return -ENOEXEC;
    im->header = h;
    return 0;
}

static uint64_t segment_rights(uint32_t flags)
{
    return PTE_P | (flags & PF_WRITE ? PTE_W : 0) | (flags & PF_EXECUTE ? 0 : PTE_XD);
}

static int load_segment(struct image *im, const struct elf_segment *s)
{
    if (s->p_offset > im->size || s->p_filesz > im->size - s->p_offset) return -ENOEXEC;
    if (s->p_filesz > s->p_memsz || !user_range_ok(s->p_vaddr, s->p_memsz)) return -ENOEXEC;
    if (s->p_vaddr + s->p_memsz > USER_MMAP_BASE) return -ENOEXEC;

    int error = vm_map(im->pml4, s->p_vaddr, s->p_memsz, segment_rights(s->p_flags));
    if (error) return error;

    uint64_t end = round_up(s->p_vaddr + s->p_memsz);
    if (end > im->end) im->end = end;
    uint64_t phoff = im->header->e_phoff;
    if (phoff >= s->p_offset && phoff - s->p_offset < s->p_filesz)
        im->phdr = s->p_vaddr + (phoff - s->p_offset);
    return vm_write(im->pml4, s->p_vaddr, im->file + s->p_offset, s->p_filesz);
}

static int load_segments(struct image *im)
{
    const struct elf_segment *s = (const void *)(im->file + im->header->e_phoff);

    for (unsigned i = 0; i < im->header->e_phnum; i++) {
        int error = s[i].p_type == PT_LOAD ? load_segment(im, &s[i]) : 0;
        if (error) return error;
    }
    return 0;
}

static int push(struct image *im, const void *from, size_t size)
{
    im->rsp -= size;
    return vm_write(im->pml4, im->rsp, from, size);
}

/* Sixteen bytes that look random and are the same at every boot, so that runs can be compared. */
static int push_random(struct image *im, uint64_t *where)
{
    static const uint8_t bytes[RANDOM_SIZE] = "Ringside\xa7\x1c\x93\x5e\x42\xd8\x6b";
    int error = push(im, bytes, sizeof(bytes));

    *where = im->rsp;
    return error;
}

/* ORDER: pushed last to first, so that memory reads argc, argv, 0, environment's 0, vector. */
static int push_vectors(struct image *im, const uint64_t *args, uint64_t argc, uint64_t random)
{
    const struct elf_header *h = im->header;
    const struct aux_entry aux[AUX_COUNT] = {
        {AT_PHDR, im->phdr},    {AT_PHENT, h->e_phentsize},
        {AT_PHNUM, h->e_phnum}, {AT_PAGESZ, PAGE_SIZE},
        {AT_ENTRY, h->e_entry}, {AT_UID, 0},
        {AT_EUID, 0},           {AT_GID, 0},
        {AT_EGID, 0},           {AT_SECURE, 0},
        {AT_RANDOM, random},    {AT_NULL, 0},
    };
    uint64_t words = 1 + argc + 1 + 1;
    const uint64_t zero = 0;

    im->rsp &= ~15ull;
    if (words % 2) im->rsp -= 8; /* argc must end up 16-byte aligned */
    int error = push(im, aux, sizeof(aux));
    if (!error) error = push(im, &zero, sizeof(zero));
    if (!error) error = push(im, &zero, sizeof(zero));
    if (!error) error = push(im, args, argc * sizeof(args[0]));
    return error ? error : push(im, &argc, sizeof(argc));
}

static int build_stack(struct image *im, char *const argv[], size_t argc)
{
    uint64_t args[ARG_COUNT], random;

    if (argc > ARG_COUNT) return -E2BIG;
    im->rsp = USER_STACK_TOP;
    uint64_t bottom = USER_STACK_TOP - USER_STACK_SIZE;
    int error = vm_map(im->pml4, bottom, USER_STACK_SIZE, PTE_P | PTE_W | PTE_XD);
    for (size_t i = 0; i < argc && !error; i++) {
        error = push(im, argv[i], strlen(argv[i]) + 1);
        args[i] = im->rsp;
    }
    if (!error) error = push_random(im, &random);
    return error ? error : push_vectors(im, args, argc, random);
}

static void set_name(struct proc *p, const char *path)
{
    const char *name = path;

    for (const char *at = path; *at; at++) {
        if (*at == '/') name = at + 1;
    }
    size_t size = strlen(name);
    if (size > PROC_NAME_SIZE - 1) size = PROC_NAME_SIZE - 1;
    memcpy(p->name, name, size);
    p->name[size] = 0;
}

/* The point of no return: the process becomes the new program, with all registers fresh. */
static void take_up(struct proc *p, const struct image *im, const char *path)
{
    uint64_t *old = p->pml4;

    p->pml4 = im->pml4;
    vm_switch(p->pml4);
    if (old) vm_free(old);

    p->brk_start = p->brk = im->end;
    p->mmap_next = USER_MMAP_BASE;
    p->fs_base = 0;
    wrmsr(MSR_FS_BASE, 0);
    p->fx = *fx_fresh;
    fx_restore(&p->fx);
    *p->tf = (struct trapframe){
        .rip = im->header->e_entry,
        .cs = USER_CS,
        .rflags = RFLAGS_IF | RFLAGS_FIXED,
        .rsp = im->rsp,
        .ss = USER_SS,
    };
    set_name(p, path);
}

/* Makes the running process run the program at `path`. Returns 0 or an error, negated. */
int exec(const char *path, char *const argv[], size_t argc)
{
    struct image im = {0};

    im.file = initramfs_find(path, &im.size);
    if (!im.file) return -ENOENT;
    int error = check_header(&im);
    if (error) return error;
    im.pml4 = vm_new();
    if (!im.pml4) return -ENOMEM;

    error = load_segments(&im);
    if (!error) error = build_stack(&im, argv, argc);
    if (error) {
        vm_free(im.pml4);
        return error;
    }
    take_up(this_cpu.current, &im, path);
    return 0;
}
