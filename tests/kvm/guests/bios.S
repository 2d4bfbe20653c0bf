/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A firmware of 64 KiB that does nothing but start the test guest (PAYLOAD) and tell it what to do (WHAT): a machine is there in
 * milliseconds, where SeaBIOS takes seconds on a slow KVM. */
	.code16
	.text
	.globl	start
start:
payload:
	.incbin	PAYLOAD
payload_end:
	.balign	4
what:	.asciz	WHAT
	.balign	8
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt + 0xffff0000

begin:	cli
	cld
	lgdtl	%cs:gdt_pointer
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$8, $(1f + 0xffff0000)
	.code32
1:	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	/* the ACPI block at 600, and switched on (ICH9 13.1.13, 13.1.14) */
	movw	$0xcf8, %dx
	movl	$0x8000f840, %eax
	outl	%eax, %dx
	movw	$0xcfc, %dx
	movl	$0x601, %eax
	outl	%eax, %dx
	movw	$0xcf8, %dx
	movl	$0x8000f844, %eax
	outl	%eax, %dx
	movw	$0xcfc, %dx
	movb	$0x80, %al
	outb	%al, %dx

	movl	$0x100000, %edi
	movl	$(0xffff0000 + payload), %esi
	movl	$((payload_end - payload + 3) / 4), %ecx
	rep movsl
	xorl	%eax, %eax
	movl	$0x120000, %ecx		/* .bss and stacks */
	subl	%edi, %ecx
	shrl	$2, %ecx
	rep stosl
	movl	$0xb105b105, %eax
	movl	$(0xffff0000 + what), %ebx
	movl	$0x100000, %ecx
	jmp	*%ecx

	.org	0xfff0
	.code16
	jmp	begin
	.org	0x10000
	.section .note.GNU-stack, "", @progbits
