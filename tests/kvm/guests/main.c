/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The test guest: the last word of its command line says what to do. */
#include "guest.h"

#define PVH_MAGIC 0x336ec578
#define BIOS_MAGIC 0xb105b105 /* bios.S */

void guest_main (void);

typedef struct {
  u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
  u32 drives[2], config, loader_name;
} MultibootInfo;

typedef struct {
  u32 magic, version, flags, n_modules;
  u64 modules, cmdline, rsdp, memmap;
  u32 n_memmap, reserved;
} StartInfo;

static u32 zeros[16]; /* .bss */

static const char *
last_word (const char *text)
{
  const char *word = text;

  for (; *text != '\0'; text++)
    if (*text == ' ')
      word = text + 1;
  return word;
}

static int
starts_with (const char *text, const char *start)
{
  while (*start != '\0' && *text == *start)
    text++, start++;
  return *start == '\0';
}

static void
print_module (u32 start, u32 size, const char *text)
{
  print ("module ");
  print_hex (size);
  print (" ");
  print (text);
  print (": ");
  for (u32 i = 0; i < size && i < 16; i++)
    {
      char letter[2] = { ((const char *) (unsigned long) start)[i], '\0' };

      print (letter);
    }
  print ("\n");
}

static const char *
boot_multiboot (void)
{
  const MultibootInfo *info = (const MultibootInfo *) (unsigned long) boot_info;
  u32 ram = 0;

  check_eq ("boot/multiboot-magic", boot_magic, 0x2badb002);
  check_eq ("boot/multiboot-flags", info->flags & 0x24f, info->mods_count > 0 ? 0x24d : 0x245);
  print ("cmdline ");
  print_line ((const char *) (unsigned long) info->cmdline);
  print ("loader ");
  print_line ((const char *) (unsigned long) info->loader_name);
  for (u32 at = info->mmap_addr; at < info->mmap_addr + info->mmap_length; at += read32 (at) + 4)
    if (read32 (at + 20) == 1)
      ram += read32 (at + 12) >> 10;
  print ("ram-kib ");
  print_hex (ram);
  print ("\nlower-kib ");
  print_hex (info->mem_lower);
  print ("\nupper-kib ");
  print_hex (info->mem_upper);
  print ("\n");
  for (u32 i = 0; i < info->mods_count; i++)
    {
      u32 at = info->mods_addr + 16 * i;

      check_eq ("boot/modules-are-page-aligned", read32 (at) & 0xfff, 0);
      print_module (read32 (at), read32 (at + 4) - read32 (at), (const char *) (unsigned long) read32 (at + 8));
    }
  return (const char *) (unsigned long) info->cmdline;
}

static const char *
boot_pvh (void)
{
  const StartInfo *info = (const StartInfo *) (unsigned long) boot_info;
  u32 ram = 0;

  check_eq ("boot/pvh-version", info->version, 1);
  print ("cmdline ");
  print_line ((const char *) (unsigned long) info->cmdline);
  for (u32 i = 0; i < info->n_memmap; i++)
    if (read32 ((u32) info->memmap + 24 * i + 16) == 1)
      ram += read32 ((u32) info->memmap + 24 * i + 8) >> 10;
  print ("ram-kib ");
  print_hex (ram);
  print ("\n");
  for (u32 i = 0; i < info->n_modules; i++)
    {
      u32 at = (u32) info->modules + 32 * i;

      print_module (read32 (at), read32 (at + 8), (const char *) (unsigned long) read32 (at + 16));
    }
  check ("boot/pvh-rsdp", info->rsdp != 0 && starts_with ((const char *) (unsigned long) info->rsdp, "RSD PTR "), (u32) info->rsdp,
         0);
  return (const char *) (unsigned long) info->cmdline;
}

static void
triple_fault (void)
{
  static const u32 none[2];

  /* no int3: a KVM that emulates ring 0 does not have it */
  __asm__ volatile ("lidt %0; ud2" : : "m"(none));
}

/* Each boot goes on with the next way to reset, kept in a byte of CMOS that a reset leaves alone. */
void
test_resets (void)
{
  u8 stage = cmos_read (0x50);

  print ("boot ");
  print_hex (stage);
  print ("\n");
  cmos_write (0x50, stage + 1);
  switch (stage)
    {
    case 0: /* port 92, bit 0 */
      outb (0x92, inb (0x92) & ~1);
      outb (0x92, inb (0x92) | 1);
      break;
    case 1: /* CF9: system reset, then on */
      outb (0xcf9, 0x02);
      outb (0xcf9, 0x06);
      break;
    case 2: /* CF9: full reset */
      outb (0xcf9, 0x0a);
      outb (0xcf9, 0x0e);
      break;
    case 3: /* the keyboard controller's pulse */
      outb (0x64, 0xfe);
      break;
    case 4: /* its output port */
      outb (0x64, 0xd1);
      outb (0x60, 0xce);
      break;
    case 5:
      triple_fault ();
      break;
    default:
      check_eq ("resets/all-ways-lead-back-to-the-firmware", stage, 6);
      guest_exit (0);
    }
  for (;;)
    __asm__ volatile ("cli; hlt");
}

void
guest_main (void)
{
  const char *what;
  u32 sum = 0;

  guest_init ();
  if (boot_magic == BIOS_MAGIC)
    what = (const char *) (unsigned long) boot_info;
  else
    what = last_word (read32 (boot_info) == PVH_MAGIC ? boot_pvh () : boot_multiboot ());
  for (u32 i = 0; i < 16; i++)
    sum |= zeros[i];
  check_eq ("boot/bss-is-zero", sum, 0);

  if (same (what, "devices"))
    {
      test_ports ();
      test_memory ();
      test_interrupts ();
      test_timers ();
    }
  else if (starts_with (what, "processors="))
    test_processors ((u32) (what[11] - '0'));
  else if (same (what, "resets"))
    test_resets ();
  else if (same (what, "off"))
    outw (0x604, 0x2001);
  else if (same (what, "triple-fault"))
    triple_fault ();
  print_line ("end");
  guest_exit (0);
}
