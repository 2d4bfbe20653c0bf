/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A firmware image (64 KiB at the top of 4 GiB) that tries the board's own devices as only a processor can: PAM and memory slots, ECAM, BARs
 * that move, the PM timer, fw_cfg's DMA, the SCI through the 8259s; then every way to reset, one after the other (the step is kept in
 * CMOS), and the power. Says "ok NAME" or "FAILED NAME" line by line on the debug console. The display must be the VGA at 00:01.0. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#define CMOS_STEP 0x40
#define CMOS_MARK 0x41
#define MARK 0x5a
#define HOST_BRIDGE 0
#define VGA (1u << 3)
#define LPC (31u << 3)
#define PM 0x600u
#define PM_TIMER_HZ 3579545u
#define ECAM 0xe0000000u
#define SCI_VECTOR 0x71 /* IRQ 9 with the slave at 70 */
#define IDT 0x6000u
#define SCI_COUNT (*(volatile u32 *) 0x5000)

static inline void
outb (u32 port, u8 value)
{
  __asm__ volatile ("outb %0, %w1" : : "a"(value), "Nd"(port));
}

static inline void
outw (u32 port, u16 value)
{
  __asm__ volatile ("outw %0, %w1" : : "a"(value), "Nd"(port));
}

static inline void
outl (u32 port, u32 value)
{
  __asm__ volatile ("outl %0, %w1" : : "a"(value), "Nd"(port));
}

static inline u8
inb (u32 port)
{
  u8 value;

  __asm__ volatile ("inb %w1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline u32
inl (u32 port)
{
  u32 value;

  __asm__ volatile ("inl %w1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline volatile u32 *
memory (u32 address)
{
  __asm__ ("" : "+r"(address)); /* the compiler must not reason about it */
  return (volatile u32 *) address;
}

static void
say (const char *text)
{
  for (; *text != '\0'; text++)
    outb (0x402, (u8) *text);
}

static void
check (int right, const char *name)
{
  say (right ? "ok " : "FAILED ");
  say (name);
  say ("\n");
}

static u32
config_read (u32 function, u32 offset)
{
  outl (0xcf8, 0x80000000u | function << 8 | offset);
  return inl (0xcfc);
}

static void
config_write (u32 function, u32 offset, u32 value)
{
  outl (0xcf8, 0x80000000u | function << 8 | offset);
  outl (0xcfc, value);
}

/* PAM0 in bits 7-0 of register 90, PAM1 in bits 15-8. */
static void
check_pam (void)
{
  volatile u32 *low = memory (0xf0000), *rom = memory (0xffff0000u), *shadow = memory (0xc0000);
  u32 code = *rom;

  check (*low == code, "pam-0-shows-the-rom");
  *low = ~code;
  check (*low == code, "rom-ignores-writes");
  check (*shadow == 0xffffffff, "pam-0-shows-nothing-at-c0000");
  config_write (HOST_BRIDGE, 0x90, 0x3330);
  *low = 0x12345678;
  *shadow = 0x9abcdef0;
  check (*low == 0x12345678 && *shadow == 0x9abcdef0, "pam-3-is-ram");
  config_write (HOST_BRIDGE, 0x90, 0x1110);
  *low = 0;
  *shadow = 0;
  check (*low == 0x12345678 && *shadow == 0x9abcdef0, "pam-1-is-read-only-ram");
  config_write (HOST_BRIDGE, 0x90, 0);
  check (*low == code && *shadow == 0xffffffff, "pam-back-to-the-rom");
  for (u32 i = 0; i < 100; i++)
    {
      config_write (HOST_BRIDGE, 0x90, 0x3330);
      *low = i;
      config_write (HOST_BRIDGE, 0x90, 0x1110);
      if (*low != i)
        {
          check (0, "pam-back-and-forth");
          return;
        }
      config_write (HOST_BRIDGE, 0x90, 0);
      if (*low != code)
        {
          check (0, "pam-back-and-forth");
          return;
        }
    }
  check (1, "pam-back-and-forth");
}

static void
check_pci (void)
{
  volatile u32 *ram = memory (0x30000), *here = memory (0xd0000000u), *there = memory (0xd8000000u);

  check (config_read (HOST_BRIDGE, 0) == 0x29c08086, "host-bridge");
  check (config_read (7u << 3, 0) == 0xffffffff, "absent-function");
  check (*memory (ECAM + (LPC << 12)) == 0xffffffff, "ecam-off");
  config_write (HOST_BRIDGE, 0x60, ECAM | 1);
  check (*memory (ECAM + (LPC << 12)) == 0x29188086, "ecam-on");
  check (*memory (ECAM + (9u << 20)) == 0xffffffff, "ecam-other-bus");

  config_write (VGA, 0x10, 0xd0000000u);
  check (*here == 0xffffffff, "bar-off");
  config_write (VGA, 4, 2);
  here[0] = 0x11223344;
  here[1024] = 0x55667788;
  check (here[0] == 0x11223344 && here[1024] == 0x55667788, "bar-is-memory");
  config_write (VGA, 0x10, 0xd8000000u);
  check (*here == 0xffffffff && there[0] == 0x11223344 && there[1024] == 0x55667788, "bar-moved");
  *ram = 0xcafe;
  config_write (VGA, 0x10, 0x00000008u); /* over RAM: 0 is nowhere; 16 MiB is RAM */
  config_write (VGA, 0x10, 0x01000008u);
  check (*ram == 0xcafe && *there == 0xffffffff, "bar-not-over-ram");
  config_write (VGA, 0x10, 0xd0000000u);
  check (here[0] == 0x11223344, "bar-back");
  config_write (VGA, 4, 0);
  check (*here == 0xffffffff, "bar-off-again");
  check (inb (0x5555) == 0xff && *memory (0xfe001234u & ~3u) == 0xffffffff, "nobody-there");
}

static void
check_pm_timer (void)
{
  u32 start, now, steps = 0;

  config_write (LPC, 0x40, PM | 1);
  config_write (LPC, 0x44, 0x80);
  start = inl (PM + 8);
  do
    {
      u32 next = inl (PM + 8);

      now = (next - start) & 0xffffff;
      steps++;
    }
  while (now < PM_TIMER_HZ / 100 && steps < 10000000);
  check (now >= PM_TIMER_HZ / 100 && now < PM_TIMER_HZ, "pm-timer-counts");
}

static void
check_fw_cfg (void)
{
  volatile u8 *descriptor = (volatile u8 *) memory (0x7000), *text = (volatile u8 *) memory (0x7100);
  static const u8 wanted[16] = { 0, 0, 0, 0x0a, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0x71, 0 }; /* select 0 and read 4 bytes to 7100 */

  for (u32 i = 0; i < 16; i++)
    descriptor[i] = wanted[i];
  outl (0x518, 0x00700000); /* 7000, big-endian */
  check (*memory (0x7000) == 0 && text[0] == 'Q' && text[1] == 'E' && text[2] == 'M' && text[3] == 'U', "fw-cfg-dma");
}

/* The timer's status bit through the SCI: the 8259s, level-triggered (ELCR), as an operating system without an I/O APIC has it. It comes only
 * at the one HLT, whose EAX and EDX are free, and goes back by a jump: not every KVM has IRET in this mode. */
__asm__ (".globl sci_entry\n"
         "sci_entry:\n"
         "  incl 0x5000\n"
         "  movw $0x600, %dx\n"
         "  movw $1, %ax\n"
         "  outw %ax, %dx\n" /* TMR_STS off: the line goes down */
         "  movb $0x20, %al\n"
         "  outb %al, $0xa0\n"
         "  outb %al, $0x20\n"
         "  popl %eax\n"
         "  addl $8, %esp\n"
         "  jmp *%eax\n");
extern u8 sci_entry[];

static void
check_sci (void)
{
  struct {
    u16 limit;
    u32 base;
  } __attribute__ ((packed)) pointer = { 0x7ff, IDT };
  volatile u32 *gate = memory (IDT + SCI_VECTOR * 8);
  u32 handler = (u32) sci_entry, before;

  for (u32 i = 0; i < 0x800; i += 4)
    *memory (IDT + i) = 0;
  gate[0] = 0x00080000u | (handler & 0xffff);
  gate[1] = (handler & 0xffff0000u) | 0x8e00;
  __asm__ volatile ("lidt %0" : : "m"(pointer));
  outb (0x20, 0x11);
  outb (0x21, 0x68);
  outb (0x21, 0x04);
  outb (0x21, 0x01);
  outb (0xa0, 0x11);
  outb (0xa1, 0x70);
  outb (0xa1, 0x02);
  outb (0xa1, 0x01);
  outb (0x21, 0xfb); /* the slave alone, */
  outb (0xa1, 0xfd); /* of it IRQ 9 */
  outb (0x4d1, 0x02);
  SCI_COUNT = 0;
  outw (PM, 1);
  outw (PM + 2, 1);
  for (u32 i = 0; i < 2; i++)
    {
      before = inl (PM + 8);
      __asm__ volatile ("sti; hlt; cli" : : : "eax", "edx", "memory", "cc");
      if (((inl (PM + 8) ^ before) & 0x800000) == 0)
        break; /* not at the change of the highest bit */
    }
  outw (PM + 2, 0);
  check (SCI_COUNT == 2, "sci-when-the-timer's-highest-bit-changes");
}

static u8
cmos_read (u8 index)
{
  outb (0x70, index);
  return inb (0x71);
}

static void
cmos_write (u8 index, u8 value)
{
  outb (0x70, index);
  outb (0x71, value);
}

void firmware_main (void);

void
firmware_main (void)
{
  static const char *const reasons[] = { "", "reset-by-cf9", "reset-by-port-92", "reset-by-keyboard-controller",
                                         "reset-by-triple-fault" };
  u8 step = cmos_read (CMOS_MARK) == MARK ? cmos_read (CMOS_STEP) : 0;

  if (step == 0)
    {
      check_pam ();
      check_pci ();
      check_pm_timer ();
      check_fw_cfg ();
      check_sci ();
    }
  else
    /* All is as at power-on. */
    check (step <= 4 && config_read (HOST_BRIDGE, 0x90) == 0 && *memory (ECAM + (LPC << 12)) == 0xffffffff
               && config_read (LPC, 0x40) == 1 && *memory (0xf0000) == *memory (0xffff0000u),
           reasons[step <= 4 ? step : 0]);
  cmos_write (CMOS_MARK, MARK);
  cmos_write (CMOS_STEP, step + 1);
  switch (step)
    {
    case 0:
      outb (0xcf9, 0x02);
      outb (0xcf9, 0x06);
      break;
    case 1:
      outb (0x92, 0x00);
      outb (0x92, 0x01);
      break;
    case 2:
      outb (0x64, 0xfe);
      break;
    case 3:
      {
        struct {
          u16 limit;
          u32 base;
        } __attribute__ ((packed)) none = { 0, 0 };

        __asm__ volatile ("lidt %0; xorl %%ecx, %%ecx; divl %%ecx"
                          :
                          : "m"(none)
                          : "eax", "ecx", "edx"); /* a fault that nobody takes */
        break;
      }
    default:
      config_write (LPC, 0x40, PM | 1);
      config_write (LPC, 0x44, 0x80);
      say ("off\n");
      outw (PM + 4, 0x2001);
      break;
    }
  for (;;)
    __asm__ volatile ("cli; hlt");
}
