/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A boot image (El Torito, no emulation: 2 KiB at 7C00) that has the VGA BIOS set one mode after the other and draw in it: text by teletype
 * output, with scrolling, and pixels. After each it leaves a mark on the debug console and waits for a key. */
  .code16
  .text
start:
  cli
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movw $0x7c00, %sp
  sti
  ljmp $0, $begin
begin:
  cld
  movw $modes, %si

next_mode:
  lodsw
  testw %ax, %ax
  jz end
  movw %ax, %bp
  lodsw
  movw %ax, characters
  pushw %si
  movl $1, seed

  movw %bp, %ax
  cmpw $0x100, %ax
  jae vbe
  int $0x10
  jmp draw
vbe:
  movw %ax, %bx
  movw $0x4f02, %ax
  int $0x10
  cmpw $0x004f, %ax
  je draw
  movw $refused, %si
  call say
  jmp wait_key

draw:
  movb $0x01, %ah /* no cursor */
  movw $0x2000, %cx
  int $0x10

  movw characters, %di
  movb $' ', %dl
text:
  movb $0x0e, %ah
  movb %dl, %al
  movb %dl, %bl
  andb $0x0f, %bl
  orb $0x01, %bl
  xorb %bh, %bh
  pushw %dx
  pushw %di
  pushw %bp
  int $0x10
  popw %bp
  popw %di
  popw %dx
  incb %dl
  cmpb $0x7f, %dl
  jne 1f
  movb $' ', %dl
1:
  decw %di
  jnz text

  cmpw $3, %bp
  jbe drawn
  movw $200, %di
pixel:
  call random
  movw %ax, %cx
  andw $0x00ff, %cx
  call random
  movw %ax, %dx
  andw $0x007f, %dx
  call random
  movb $0x0c, %ah
  xorb %bh, %bh
  pushw %di
  pushw %bp
  int $0x10
  popw %bp
  popw %di
  decw %di
  jnz pixel

drawn:
  movw $mark, %si
  call say
wait_key:
  xorw %ax, %ax
  int $0x16
  popw %si
  jmp next_mode

end:
  cli
  hlt
  jmp end

/* ax: the middle of Numerical Recipes' generator */
random:
  pushl %edx
  movl seed, %eax
  imull $1664525, %eax
  addl $1013904223, %eax
  movl %eax, seed
  shrl $12, %eax
  popl %edx
  ret

say:
  movw $0x402, %dx
1:
  lodsb
  testb %al, %al
  jz 2f
  outb %al, %dx
  jmp 1b
2:
  ret

  .balign 4
seed:
  .long 1
characters:
  .word 0
mark:
  .asciz "\n~drawn~\n"
refused:
  .asciz "\n~refused~\n"

/* Mode, characters to write. The same list is in vga-bios.c. */
modes:
  .word 0x03, 2100
  .word 0x04, 120
  .word 0x06, 120
  .word 0x0d, 120
  .word 0x12, 120
  .word 0x13, 120
  .word 0x101, 120
  .word 0x110, 120
  .word 0x111, 120
  .word 0x112, 120
  .word 0x142, 120
  .word 0

  .org 2048
