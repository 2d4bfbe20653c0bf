/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the reset vector to rom_main() in flat 32-bit mode. The image lies at F0000 and, at reset, at FFFF0000. */
  .code16
  .section .text.start, "ax"
  .globl start
start:
  cli
  data32 lgdt %cs:(gdt_pointer - start)
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $8, $start32

  .code32
start32:
  movw $16, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl $0x7000, %esp
  call rom_main
1:
  cli
  hlt
  jmp 1b

  .balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff
  .quad 0x00cf93000000ffff
gdt_pointer:
  .word . - gdt - 1
  .long gdt

  .section .scenario, "a"
  .globl rom_scenario
rom_scenario:
  .byte 0

  .code16
  .section .reset, "ax"
  jmp start
  .section .note.GNU-stack, "", @progbits
