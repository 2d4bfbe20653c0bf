/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What test guests share: 32-bit protected mode, flat, no paging, general registers only. They tell what they see on COM1, one line a check:
 * "ok NAME", "not ok NAME: why", "skip NAME: why", and end with port F4. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define COM1 0x3f8
#define PIC_BASE 0x20 /* vectors of IRQ 0-15 */
#define N_VECTORS 96
#define LAPIC 0xfee00000
#define IOAPIC 0xfec00000
#define PM_TIMER 0x608
#define PM_TIMER_HZ 3579545
#define TEST_EXIT 0xf4
#define TEST_LINES 0x2000
#define TEST_MSI 0x2100
#define TEST_MEMORY 0xff000000

static inline void
outb (u16 port, u8 value)
{
  __asm__ volatile ("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void
outw (u16 port, u16 value)
{
  __asm__ volatile ("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void
outl (u16 port, u32 value)
{
  __asm__ volatile ("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline u8
inb (u16 port)
{
  u8 value;

  __asm__ volatile ("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}

static inline u16
inw (u16 port)
{
  u16 value;

  __asm__ volatile ("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}

static inline u32
inl (u16 port)
{
  u32 value;

  __asm__ volatile ("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}

static inline u32
read32 (u32 address)
{
  return *(volatile u32 *) (unsigned long) address;
}

static inline void
write32 (u32 address, u32 value)
{
  *(volatile u32 *) (unsigned long) address = value;
}

static inline u8
cmos_read (u8 index)
{
  outb (0x70, index);
  return inb (0x71);
}

static inline void
cmos_write (u8 index, u8 value)
{
  outb (0x70, index);
  outb (0x71, value);
}

static inline void
cli (void)
{
  __asm__ volatile ("cli" : : : "memory");
}

/* Waits for one interrupt, which sets what the caller looks at; called and returns with interrupts off. */
static inline void
wait_interrupt (void)
{
  __asm__ volatile ("sti; hlt; cli" : : : "memory");
}

/* lib.c */
extern volatile u32 interrupts[N_VECTORS]; /* how often each vector came */
extern void (*handlers[N_VECTORS]) (void); /* also called; sends the EOI itself */
void guest_init (void);
void print (const char *text);
void print_hex (u32 value);
void print_line (const char *text);
void check (const char *name, int ok, u32 seen, u32 wanted);
#define check_eq(name, seen, wanted) check (name, (seen) == (wanted), seen, wanted)
void skip (const char *name, const char *why);
int same (const char *a, const char *b);
u32 pm_ticks (void);
/* TRUE if *@what reaches @at_least within @ms milliseconds (PM timer). Waits by HLT: a KVM that emulates ring 0 loses and doubles
 * interrupts that come in short windows between STI and CLI. */
int wait_for (volatile u32 *what, u32 at_least, u32 ms);
/* An interrupt each 20 ms from the local APIC's timer, so that waits end. */
void heartbeat_start (void);
void pic_unmask (u32 irq);
void pic_eoi (u32 irq);
void lapic_enable (void);
void guest_exit (u8 value) __attribute__ ((noreturn));

/* what the boot loader gave (start.S) */
extern u32 boot_magic, boot_info;

/* start.S: where application processors begin, copied below 1 MiB; each runs ap_main() once, counted by ap_count */
extern u8 ap_start[], ap_end[];
extern volatile u32 ap_count;
void ap_main (void);

void test_boot (void);
void test_ports (void);
void test_memory (void);
void test_interrupts (void);
void test_timers (void);
void test_processors (u32 n);
void test_resets (void);
