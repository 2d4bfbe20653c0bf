/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest.h"

typedef struct {
  u16 low, selector;
  u8 zero, type;
  u16 high;
} Gate;

/* What the stub has on the stack. */
typedef struct {
  u32 edi, esi, ebp, esp, ebx, edx, ecx, eax;
  u32 vector, error, eip, cs, eflags;
} Frame;

volatile u32 interrupts[N_VECTORS];
void (*handlers[N_VECTORS]) (void);
extern u32 interrupt_stubs[N_VECTORS];
void guest_interrupt (const Frame *frame);

static Gate idt[N_VECTORS];

void
print (const char *text)
{
  for (; *text != '\0'; text++)
    {
      while (!(inb (COM1 + 5) & 0x20))
        ;
      outb (COM1, (u8) *text);
    }
}

void
print_line (const char *text)
{
  print (text);
  print ("\n");
}

void
print_hex (u32 value)
{
  char text[9];

  for (int i = 0; i < 8; i++)
    text[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
  text[8] = '\0';
  print (text);
}

void
check (const char *name, int ok, u32 seen, u32 wanted)
{
  print (ok ? "ok " : "not ok ");
  print (name);
  if (!ok)
    {
      print (": ");
      print_hex (seen);
      print (", not ");
      print_hex (wanted);
    }
  print ("\n");
}

void
skip (const char *name, const char *why)
{
  print ("skip ");
  print (name);
  print (": ");
  print_line (why);
}

int
same (const char *a, const char *b)
{
  while (*a != '\0' && *a == *b)
    a++, b++;
  return *a == *b;
}

void
guest_exit (u8 value)
{
  outb (TEST_EXIT, value);
  for (;;)
    __asm__ volatile ("cli; hlt");
}

void
guest_interrupt (const Frame *frame)
{
  if (frame->vector < PIC_BASE)
    {
      print ("exception ");
      print_hex (frame->vector);
      print (" error ");
      print_hex (frame->error);
      print (" at ");
      print_hex (frame->eip);
      print ("\n");
      guest_exit (0x7f);
    }
  __asm__ volatile ("lock incl %0" : "+m"(interrupts[frame->vector]));
  if (handlers[frame->vector] != 0)
    handlers[frame->vector]();
  else if (frame->vector < PIC_BASE + 16)
    pic_eoi (frame->vector - PIC_BASE);
  else
    write32 (LAPIC + 0xb0, 0);
}

void
pic_eoi (u32 irq)
{
  if (irq >= 8)
    outb (0xa0, 0x20);
  outb (0x20, 0x20);
}

void
pic_unmask (u32 irq)
{
  if (irq >= 8)
    {
      outb (0xa1, inb (0xa1) & ~(1 << (irq - 8)));
      irq = 2;
    }
  outb (0x21, inb (0x21) & ~(1 << irq));
}

static void
pic_init (void)
{
  outb (0x20, 0x11);
  outb (0x21, PIC_BASE);
  outb (0x21, 0x04);
  outb (0x21, 0x01);
  outb (0xa0, 0x11);
  outb (0xa1, PIC_BASE + 8);
  outb (0xa1, 0x02);
  outb (0xa1, 0x01);
  outb (0x21, 0xff);
  outb (0xa1, 0xff);
}

void
lapic_enable (void)
{
  struct __attribute__ ((packed)) {
    u16 limit;
    u32 base;
  } pointer = { sizeof idt - 1, (u32) (unsigned long) idt };

  __asm__ volatile ("lidt %0" : : "m"(pointer));
  write32 (LAPIC + 0x80, 0);
  write32 (LAPIC + 0xf0, 0x100 | (N_VECTORS - 1)); /* on; spurious vector */
  write32 (LAPIC + 0x350, 0x700);                  /* LINT0 takes the PIC's interrupts; only when on */
}

void
guest_init (void)
{
  for (u32 i = 0; i < N_VECTORS; i++)
    {
      idt[i].low = interrupt_stubs[i] & 0xffff;
      idt[i].high = interrupt_stubs[i] >> 16;
      idt[i].selector = 8;
      idt[i].type = 0x8e;
    }
  outb (COM1 + 3, 0x03);
  outb (COM1 + 2, 0x07);
  outb (COM1 + 4, 0x0b);
  pic_init ();
  lapic_enable ();
  heartbeat_start ();
}

u32
pm_ticks (void)
{
  return inl (PM_TIMER) & 0xffffff;
}

int
wait_for (volatile u32 *what, u32 at_least, u32 ms)
{
  u32 left = ms * (PM_TIMER_HZ / 1000), last = pm_ticks ();

  while (*what < at_least)
    {
      u32 now = pm_ticks (), passed = (now - last) & 0xffffff;

      if (passed >= left)
        return 0;
      left -= passed;
      last = now;
      wait_interrupt ();
    }
  return 1;
}

void
heartbeat_start (void)
{
  write32 (LAPIC + 0x3e0, 0x0b);           /* divide by 1: 1 GHz under KVM */
  write32 (LAPIC + 0x320, 0x20000 | 0x46); /* periodic */
  write32 (LAPIC + 0x380, 20000000);
}
