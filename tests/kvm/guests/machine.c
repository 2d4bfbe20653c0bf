/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ports, memory-mapped registers, interrupts. */
#include "guest.h"

#define LATCH 0xe0
#define LATCH8 0xe8
#define FLUSH 0xe4

void
test_ports (void)
{
  static const char text[] = "abcdefgh";
  u8 seen[8] = { 0 };
  const char *from = text;
  u8 *to = seen;
  u32 n = 8;

  outl (LATCH, 0x12345678);
  check_eq ("ports/32-bits-read-back", inl (LATCH), 0x12345678);
  outw (LATCH + 2, 0xbeef);
  check_eq ("ports/16-bits-go-to-their-place", inl (LATCH), 0xbeef5678);
  outb (LATCH + 1, 0xaa);
  check_eq ("ports/8-bits-go-to-their-place", inl (LATCH), 0xbeefaa78);
  check_eq ("ports/nobody-there-reads-ones", inl (0x1234), 0xffffffff);

  __asm__ volatile ("cld; rep outsb" : "+S"(from), "+c"(n) : "d"(LATCH8) : "memory");
  check_eq ("ports/string-out-sends-all", (u32) (from - text) << 8 | inb (LATCH8), 8 << 8 | 'h');
  n = 8;
  __asm__ volatile ("cld; rep insb" : "+D"(to), "+c"(n) : "d"(LATCH8) : "memory");
  check_eq ("ports/string-in-fills-all", (u32) (to - seen) << 8 | seen[7], 8 << 8 | 'h');
}

void
test_memory (void)
{
  volatile u8 *bytes = (volatile u8 *) TEST_MEMORY;
  static u32 page[2048] __attribute__ ((aligned (4096)));
  static u32 copy[4];
  const u32 *from = (const u32 *) (TEST_MEMORY + 0x100);
  u32 *to = copy;
  u32 n = 4;

  write32 (TEST_MEMORY, 0x11223344);
  check_eq ("mmio/32-bits-read-back", read32 (TEST_MEMORY), 0x11223344);
  bytes[1] = 0xaa;
  *(volatile u16 *) (bytes + 2) = 0xbbcc;
  check_eq ("mmio/parts-go-to-their-place", read32 (TEST_MEMORY), 0xbbccaa44);
  check_eq ("mmio/8-bits-read", bytes[3], 0xbb);
  check_eq ("mmio/nobody-there-reads-ones", read32 (0xfe800000), 0xffffffff);
  for (u32 i = 0; i < 4; i++)
    write32 (TEST_MEMORY + 0x100 + 4 * i, 0x01010101 * i);
  __asm__ volatile ("cld; rep movsl" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
  check_eq ("mmio/string-copy", copy[0] | copy[1] | copy[2] << 4 | copy[3] << 16, 0 | 0x01010101 | 0x20202020 | 0x03030000);

  for (u32 i = 0; i < 2048; i++)
    page[i] = i;
  outl (FLUSH, (u32) (unsigned long) page);
  check_eq ("memory/page-comes-back-after-flush", page[1023] + page[1024], 2047);
}

static void
lower_line_20 (void)
{
  outb (TEST_LINES + 20, 0);
  write32 (LAPIC + 0xb0, 0);
}

static void
ioapic_write (u32 index, u32 value)
{
  write32 (IOAPIC, index);
  write32 (IOAPIC + 0x10, value);
}

/* Lets come what is under way: a KVM that emulates ring 0 delivers some interrupts twice. */
static void
settle (void)
{
  static volatile u32 never;

  wait_for (&never, 1, 50);
}

void
test_interrupts (void)
{
  u32 came, id = read32 (LAPIC + 0x20) & 0xff000000;

  pic_unmask (5);
  for (u32 i = 0; i < 3; i++)
    {
      outb (TEST_LINES + 5, 1);
      outb (TEST_LINES + 5, 0);
      wait_for (&interrupts[PIC_BASE + 5], i + 1, 500);
    }
  check_eq ("interrupts/pic-edges-come-once-each", interrupts[PIC_BASE + 5], 3);
  pic_unmask (11);
  outb (TEST_LINES + 11, 1);
  wait_for (&interrupts[PIC_BASE + 11], 1, 500);
  outb (TEST_LINES + 11, 0);
  check ("interrupts/second-pic", interrupts[PIC_BASE + 11] >= 1, interrupts[PIC_BASE + 11], 1);
  outb (0x21, 0xff);
  outb (0xa1, 0xff);

  handlers[0x42] = lower_line_20;
  ioapic_write (0x10 + 2 * 20 + 1, id);
  ioapic_write (0x10 + 2 * 20, 0x8000 | 0x42); /* level, high, fixed, physical */
  for (u32 i = 0; i < 3; i++)
    {
      outb (TEST_LINES + 20, 1);
      wait_for (&interrupts[0x42], i + 1, 500);
    }
  settle ();
  came = interrupts[0x42];
  settle ();
  check ("interrupts/io-apic-levels-come", came >= 3, came, 3);
  check_eq ("interrupts/io-apic-levels-end-when-lowered", interrupts[0x42], came);
  ioapic_write (0x10 + 2 * 20, 0x10000 | 0x42);
  outb (TEST_LINES + 20, 1);
  settle ();
  outb (TEST_LINES + 20, 0);
  check_eq ("interrupts/io-apic-mask-holds", interrupts[0x42], came);

  outl (TEST_MSI, 0xfee00000 | id >> 12);
  outl (TEST_MSI + 4, 0x43);
  wait_for (&interrupts[0x43], 1, 500);
  outl (TEST_MSI + 4, 0x43);
  wait_for (&interrupts[0x43], 2, 500);
  check_eq ("interrupts/msi-come-once-each", interrupts[0x43], 2);

  /* the serial port: enabling its transmitter's interrupt brings it */
  pic_unmask (4);
  outb (COM1 + 1, 0x02);
  wait_for (&interrupts[PIC_BASE + 4], 1, 500);
  outb (COM1 + 1, 0x00);
  check ("interrupts/serial-port", interrupts[PIC_BASE + 4] >= 1, interrupts[PIC_BASE + 4], 1);

  /* the keyboard controller gives a byte back as the keyboard's, then as the mouse's */
  outb (0x64, 0x60);
  outb (0x60, 0x03);
  while (inb (0x64) & 1)
    inb (0x60);
  pic_unmask (1);
  pic_unmask (12);
  outb (0x64, 0xd2);
  outb (0x60, 0x5a);
  wait_for (&interrupts[PIC_BASE + 1], 1, 500);
  check_eq ("interrupts/keyboard", interrupts[PIC_BASE + 1] << 8 | inb (0x60), 0x15a);
  outb (0x64, 0xd3);
  outb (0x60, 0xa5);
  wait_for (&interrupts[PIC_BASE + 12], 1, 500);
  check_eq ("interrupts/mouse", interrupts[PIC_BASE + 12] << 8 | inb (0x60), 0x1a5);
  outb (0x21, 0xff);
  outb (0xa1, 0xff);
}
