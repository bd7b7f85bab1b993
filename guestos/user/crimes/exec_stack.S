/*
 * exec_stack - puts a RET on its stack and calls it. #PF(0x15): the fetch after the call is
 * refused (XD=1).
 */
#include "crime.h"

    announce exec_stack
    pushq $0xc3
    movq %rsp, %rbx
    crime exec_stack
    call *%rbx
    survived
