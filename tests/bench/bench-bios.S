/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A firmware image for benchmarks, 64 KiB, run from the reset vector in real mode: says "A" on the debug console (port 402) at once, reads
 * that port LOOPS times, says "B", reads the video memory at A0000 LOOPS times, says "C", halts. */
#ifndef LOOPS
#define LOOPS 200000
#endif

  .code16
  .text
  .globl _start
_start:
  movw $0x402, %dx
  movb $'A', %al
  outb %al, %dx
  movb $'\n', %al
  outb %al, %dx

  movl $LOOPS, %ecx
1:
  inb %dx, %al
  decl %ecx
  jnz 1b
  movb $'B', %al
  outb %al, %dx
  movb $'\n', %al
  outb %al, %dx

  movw $0xa000, %ax
  movw %ax, %ds
  movl $LOOPS, %ecx
2:
  movb 0, %al
  decl %ecx
  jnz 2b
  movb $'C', %al
  outb %al, %dx
  movb $'\n', %al
  outb %al, %dx
  inb %dx, %al
3:
  hlt
  jmp 3b

  .org 0xfff0
  jmp _start
  .org 0x10000 - 1
  .byte 0
