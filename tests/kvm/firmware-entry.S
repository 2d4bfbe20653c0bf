/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the reset vector to 32-bit C with flat segments and a stack. */
  .section .entry, "ax"
  .code32
entry32:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl $0x9000, %esp
  cld
  call firmware_main

  .code16
entry16:
  cli
  lgdtl %cs:gdt_pointer_offset
  movl %cr0, %eax
  orb $1, %al
  movl %eax, %cr0
  ljmpl $8, $entry32

  .balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff
  .quad 0x00cf93000000ffff
  .globl gdt_pointer
gdt_pointer:
  .word gdt_pointer - gdt - 1
  .long gdt

  .section .reset, "ax"
  .code16
  jmp entry16
  .balign 16
