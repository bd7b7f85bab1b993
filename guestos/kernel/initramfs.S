/* initramfs.S - carries the archive of user programs inside the kernel image. */
    .section .initramfs, "a"
    .balign 16
    .globl initramfs_start, initramfs_end
initramfs_start:
    .incbin "initramfs.cpio"
initramfs_end:
    .balign 16
