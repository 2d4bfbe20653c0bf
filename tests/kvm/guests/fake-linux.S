/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A bzImage after Linux' boot.rst whose setup code looks at what a boot loader must have done, and tells it on COM1. */
#define SETUP_SECTORS 3

	.code16
	.text
	.globl	start
start:	.org	0x1f1
	.byte	SETUP_SECTORS
	.org	0x1f4
	.long	(image_end - kernel) / 16
	.org	0x1fe
	.word	0xaa55
	.byte	0xeb, setup - header	/* jmp, short as the protocol wants it */
header:	.ascii	"HdrS"
	.word	0x020f
	.org	0x211
	.byte	0x01			/* LOADED_HIGH */
	.org	0x214
	.long	0x100000
	.org	0x22c
	.long	0x7fffffff
	.org	0x238
	.long	255
	.org	0x258
	.quad	0x100000
	.long	0x10000
	.org	0x268
setup:	jmp	work

	/* a character to COM1 */
putc:	pushw	%dx
	movw	$0x3f8, %dx
	outb	%al, %dx
	popw	%dx
	ret

	/* string at %si */
puts:	lodsb
	testb	%al, %al
	jz	1f
	call	putc
	jmp	puts
1:	ret

	/* %ax in hexadecimal */
hex:	movw	$4, %cx
2:	rolw	$4, %ax
	pushw	%ax
	andb	$15, %al
	cmpb	$10, %al
	jb	3f
	addb	$('a' - '0' - 10), %al
3:	addb	$'0', %al
	call	putc
	popw	%ax
	loop	2b
	movb	$' ', %al
	call	putc
	ret

	/* Prints the 8 bytes at physical address %eax, by the BIOS's block move. */
high:	movw	%ax, gdt_source + 2
	shrl	$16, %eax
	movb	%al, gdt_source + 4
	movb	%ah, gdt_source + 7
	movw	$buffer, gdt_target + 2
	movb	$1, gdt_target + 4	/* segment 1000 */
	movw	$gdt, %si
	movw	$4, %cx
	movb	$0x87, %ah
	int	$0x15
	movw	$buffer, %si
	jmp	puts

work:	pushw	%cs
	popw	%ax
	movw	%ds, %bx
	movw	%ss, %bp
	movw	%sp, %di
	cld
	movw	$text_segments, %si
	pushw	%ax
	call	puts
	popw	%ax
	call	hex
	movw	%bx, %ax
	call	hex
	movw	%bp, %ax
	call	hex
	movw	%di, %ax
	call	hex

	movw	$text_loader, %si
	call	puts
	movb	0x210, %ah
	movb	0x211, %al
	call	hex
	movw	0x224, %ax
	call	hex
	movw	0x1fa, %ax
	call	hex

	movw	$text_cmdline, %si
	call	puts
	movl	0x228, %eax
	shrl	$4, %eax
	pushw	%ds
	movw	%ax, %ds
	xorw	%si, %si
	call	puts
	popw	%ds

	movw	$text_kernel, %si
	call	puts
	movl	$0x100000, %eax
	call	high

	movw	$text_initrd, %si
	call	puts
	movw	0x21c, %ax
	call	hex
	movl	0x218, %eax
	call	high

	movw	$text_end, %si
	call	puts
	xorb	%al, %al
	outb	%al, $0xf4
4:	cli
	hlt
	jmp	4b

text_segments: .asciz	"\nsegments "
text_loader: .asciz	"\nheader "
text_cmdline: .asciz	"\ncmdline "
text_kernel: .asciz	"\nkernel "
text_initrd: .asciz	"\ninitrd "
text_end: .asciz	"\nend\n"
buffer:	.skip	10
	.balign	8
gdt:	.quad	0, 0
gdt_source: .quad 0x0000930000000010
gdt_target: .quad 0x0000930000000010
	.quad	0, 0
	.org	(SETUP_SECTORS + 1) * 512
kernel:	.ascii	"KERNEL42"
	.org	(SETUP_SECTORS + 1) * 512 + 5000
	.balign	16
image_end:
	.section .note.GNU-stack, "", @progbits
