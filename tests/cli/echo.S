/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A boot sector that says hello on the screen and the first serial port, then echoes keys and serial bytes to both; "q" turns the
 * machine off. Spec: BIOS services INT 10h, 14h, 16h; ACPI 6.5 4.8.3.2.1 PM1 control, at SeaBIOS's PM base 600h on q35. */
  .code16
  .text
  .globl _start
_start:
  ljmp $0, $1f
1:
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %ss
  movw $0x7c00, %sp
  cld
  xorw %dx, %dx
  movw $0x00e3, %ax /* 9600 8N1 */
  int $0x14
  movw $message, %si
2:
  lodsb
  testb %al, %al
  jz 3f
  call put
  jmp 2b

3:
  sti
  hlt
4:
  movb $1, %ah
  int $0x16
  jz 5f
  xorb %ah, %ah
  int $0x16
  cmpb $'q', %al
  je 6f
  call put
  jmp 4b
5:
  movb $3, %ah
  xorw %dx, %dx
  int $0x14
  testb $1, %ah
  jz 3b
  movb $2, %ah
  int $0x14
  call put
  jmp 4b

6:
  movw $0x604, %dx
  movw $0x2000, %ax /* SLP_EN, SLP_TYP 0 */
  outw %ax, %dx
7:
  hlt
  jmp 7b

put:
  pushw %ax
  movb $0x0e, %ah
  movw $7, %bx
  int $0x10
  popw %ax
  movb $1, %ah
  xorw %dx, %dx
  int $0x14
  ret

message:
  .asciz "\r\nlodge-echo>"
  .org 510
  .word 0xaa55
