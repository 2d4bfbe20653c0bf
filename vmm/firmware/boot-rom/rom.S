/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The option ROM that starts a kernel which the engine holds ready (firmware/boot.c): the part that needs the processor's modes.
 * Spec: BIOS Boot Specification 1.01 (bootstrap entry vector), Plug and Play BIOS 1.0A §3 (expansion header); Linux boot.rst
 *   (16-bit entry); Multiboot 0.6.96 §3.2 and Xen's PVH ABI (32-bit entry).
 *
 * The BIOS calls `bev` in real mode when it boots from us. The ROM copies itself to 8000, where it is linked to, fetches the BIOS's
 * memory map, goes to 32-bit mode and calls rom_main(). That loads and leaves through rom_enter_linux() or rom_enter(); if it
 * comes back, it brings a message. */
#define SELECTOR_CODE32 0x08
#define SELECTOR_DATA32 0x10
#define SELECTOR_CODE16 0x18
#define SELECTOR_DATA16 0x20
#define SELECTOR_TSS 0x28
#define STACK 0x7c00
#define SMAP 0x534d4150

	.code16
	.section .head, "awx"
rom_head:
	.word	0xaa55
	.byte	0			/* size in 512 bytes: make-rom.py */
	jmp	init
	.org	0x18
	.word	0			/* no PCI data */
	.word	pnp - rom_head
	.org	0x20
pnp:	.ascii	"$PnP"
	.byte	1, 2			/* revision, length in 16 bytes */
	.word	0			/* no further header */
	.byte	0
	.byte	0			/* checksum: make-rom.py */
	.long	0			/* device */
	.word	vendor - rom_head
	.word	product - rom_head
	.byte	0, 0, 0			/* class */
	.byte	0x04			/* a device that boots */
	.word	0, 0			/* no BCV, no disconnect vector */
	.word	bev - rom_head
	.word	0, 0
	.org	0x40
vendor:	.asciz	"Lodge"
product: .asciz	"Kernel of the machine's configuration"

init:	xorw	%ax, %ax
	lretw

bev:	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	xorw	%ax, %ax
	movw	%ax, %es
	movw	%ax, %ss
	movl	$STACK, %esp
	xorw	%si, %si
	movw	$rom_head, %di
	movw	$rom_words, %cx
	rep movsw
	ljmpw	$0, $start16

	.text
start16:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	$rom_bss, %di
	movw	$rom_bss_words, %cx
	rep stosw

	/* INT 15 E820: one entry of 20 bytes a call, ours are 24 apart */
	movw	$rom_e820, %di
	xorl	%ebx, %ebx
1:	movl	$0xe820, %eax
	movl	$20, %ecx
	movl	$SMAP, %edx
	int	$0x15
	jc	2f
	cmpl	$SMAP, %eax
	jne	2f
	addw	$24, %di
	incl	rom_n_e820
	cmpl	$ROM_MAX_E820, rom_n_e820
	jae	2f
	testl	%ebx, %ebx
	jnz	1b
2:	cli

	lgdtl	gdt_pointer
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$SELECTOR_CODE32, $start32

	.code32
start32:
	movl	$SELECTOR_DATA32, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	movl	$STACK, %esp
	call	rom_main
	movl	%eax, %esi		/* it came back: the message */
	movl	$fail16, %edi

	/* To real mode, at %di in segment 0. */
to_real:
	ljmpl	$SELECTOR_CODE16, $3f
	.code16
3:	movw	$SELECTOR_DATA16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	lidtl	real_idt
	movl	%cr0, %eax
	andl	$~1, %eax
	movl	%eax, %cr0
	ljmpw	$0, $4f
4:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	$STACK, %esp
	jmpw	*%di

	/* Prints the message at %si and stops. */
fail16:	lodsb
	testb	%al, %al
	jz	5f
	movw	$0x402, %dx
	outb	%al, %dx
	movb	$0x0e, %ah
	movw	$0x0007, %bx
	int	$0x10
	jmp	fail16
5:	sti
	hlt
	jmp	5b

	/* Linux' 16-bit entry: all segments at the setup code, %cs 20 above. */
linux16:
	movw	$ROM_LINUX_SEGMENT, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	$ROM_LINUX_STACK, %esp
	ljmpw	$(ROM_LINUX_SEGMENT + 0x20), $0

	.code32
	/* void rom_enter_linux (void) */
	.globl	rom_enter_linux
rom_enter_linux:
	movl	$linux16, %edi
	jmp	to_real

	/* void rom_enter (u32 entry, u32 eax, u32 ebx) */
	.globl	rom_enter
rom_enter:
	movl	4(%esp), %ecx
	movl	8(%esp), %eax
	movl	12(%esp), %ebx
	movl	$SELECTOR_TSS, %edx
	ltr	%dx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%edi, %edi
	xorl	%ebp, %ebp
	pushl	$2
	popfl
	jmp	*%ecx

	.data
	.balign	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	/* 32-bit code, 0 to 4 GiB */
	.quad	0x00cf93000000ffff	/* data */
	.quad	0x00009b000000ffff	/* 16-bit code, 0 to 64 KiB */
	.quad	0x000093000000ffff	/* data */
	.quad	0x0000890000000067	/* the TSS that PVH wants: base 0, limit 67 */
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt
real_idt:
	.word	0x3ff
	.long	0

	.section .note.GNU-stack, "", @progbits
