/* smc - patch the immediate of an instruction, call it, add the result. */
#include "guest.h"

GUEST("smc", 150000);

static uint8_t code[4096] __attribute__((aligned(4096)));

void kernel_setup(void)
{
    static const uint8_t body[] = {0xB8, 0, 0, 0, 0, 0x35, 0x55, 0xAA, 0, 0, 0xC3};

    __builtin_memcpy(code, body, sizeof body); /* mov $imm, %eax; xor $0xAA55, %eax; ret */
}

uint64_t kernel_run(uint64_t n)
{
    uint32_t (*volatile entry)(void) = (uint32_t (*)(void))(uintptr_t)code;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < n; i++) {
        *(volatile uint32_t *)(code + 1) = (uint32_t)(i * 2654435761u);
        sum += entry();
        sum = (sum << 1) ^ (sum >> 63);
    }
    return sum;
}
