/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Entry of the test guests by Multiboot 1 or PVH, interrupt stubs, and where application processors begin. */
#define N_VECTORS 96
#define STACK_SIZE 16384

	.section .head, "a"
	.balign 4
#ifndef GUEST_PVH
	.long	0x1badb002, 3, -(0x1badb002 + 3)
#endif
	.section .note.Xen, "a", @note
#ifdef GUEST_PVH
	.long	4, 4, 18
	.asciz	"Xen"
	.long	start
#endif

	.text
	.globl	start
start:	movl	$stack_end, %esp
	movl	%eax, boot_magic
	movl	%ebx, boot_info
	lgdt	gdt_pointer
	ljmp	$8, $1f
1:	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	call	guest_main
2:	cli
	hlt
	jmp	2b

	/* interrupt_stubs[n]: address of the stub of vector n */
	.macro	stub n
stub_\n:
	.if	(\n == 8) || (\n >= 10 && \n <= 14) || (\n == 17)
	/* the processor has pushed an error code */
	.else
	pushl	$0
	.endif
	pushl	$\n
	jmp	common
	.endm
	.altmacro
	.macro	stub_value n
	stub	\n
	.endm
	.set	i, 0
	.rept	N_VECTORS
	stub_value %i
	.set	i, i + 1
	.endr

common:	pushal
	cld
	movl	%esp, %eax
	pushl	%eax
	call	guest_interrupt
	addl	$4, %esp
	popal
	addl	$8, %esp
	/* as iret within one segment; a KVM that emulates ring 0 has no iret in protected mode */
	pushl	8(%esp)
	popfl
	ret	$8

	.macro	stub_address n
	.long	stub_\n
	.endm
	.data
	.globl	interrupt_stubs
interrupt_stubs:
	.set	i, 0
	.rept	N_VECTORS
	stub_address %i
	.set	i, i + 1
	.endr

	/* Real mode, at a page below 1 MiB; only offsets within it until the jump. */
	.text
	.globl	ap_start, ap_end
	.code16
ap_start:
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	(ap_gdt_pointer - ap_start)
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$8, $ap_protected
	.balign 4
ap_gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt
ap_end:
	.code32
ap_protected:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$1, %eax
	lock xaddl %eax, ap_count
	/* a stack for each: number * 4096 below ap_stacks_end */
	shll	$12, %eax
	movl	$ap_stacks_end, %esp
	subl	%eax, %esp
	call	ap_main
3:	cli
	hlt
	jmp	3b

	.data
	.balign	8
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt
	.globl	boot_magic, boot_info, ap_count
	.balign	4
boot_magic: .long 0
boot_info: .long 0
ap_count: .long	0
	.bss
	.balign	4096
	.skip	STACK_SIZE
stack_end:
	.skip	4096 * 16
ap_stacks_end:
	.section .note.GNU-stack, "", @progbits
