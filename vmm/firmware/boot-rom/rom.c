/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The option ROM, the part in 32-bit mode: fetches the engine's plan and the pieces by fw_cfg DMA, tells the kernel the memory map, enters.
 * Spec: QEMU's docs/specs/fw_cfg (DMA); Multiboot 0.6.96 §3.3; Xen's xen/include/public/arch-x86/hvm/start_info.h; ACPI 6.5 §5.2.5.1.
 * Freestanding, no division of 64-bit numbers. */
#include "rom.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define FW_CFG_DIRECTORY 0x19
#define FW_CFG_DMA_PORT 0x514
#define FW_CFG_DMA_ERROR 1
#define FW_CFG_DMA_READ 2
#define FW_CFG_DMA_SELECT 8
#define FW_CFG_MAX_FILES ((ROM_WORK_END - ROM_WORK - sizeof (RomPlan) - 4) / sizeof (FwFile))

#define MULTIBOOT_MAGIC 0x2badb002
#define MULTIBOOT_HAS_MEMORY (1 << 0)
#define MULTIBOOT_HAS_MMAP (1 << 6)

typedef struct {
  u64 base, length;
  u32 type, padding;
} E820Entry;

typedef struct {
  u32 control, length;
  u64 address;
} FwDescriptor; /* big-endian */

typedef struct {
  u32 size;
  u16 key, reserved;
  char name[56];
} FwFile; /* big-endian */

typedef struct {
  u32 size;
  u64 base, length;
  u32 type;
} __attribute__ ((packed)) MultibootMmap;

/* The fields that the ROM fills in. */
typedef struct {
  u32 flags, mem_lower, mem_upper;
  u32 others[8];
  u32 mmap_length, mmap_addr;
} MultibootInfo;

typedef struct {
  u32 magic, version, flags, n_modules;
  u64 modules, cmdline, rsdp, memmap;
  u32 n_memmap, reserved;
} PvhStartInfo;

typedef struct {
  u64 address, size;
  u32 type, reserved;
} PvhMemmap;

E820Entry rom_e820[ROM_MAX_E820];
u32 rom_n_e820;

const char *rom_main (void);
void rom_enter_linux (void) __attribute__ ((noreturn));
void rom_enter (u32 entry, u32 eax, u32 ebx) __attribute__ ((noreturn));

static FwDescriptor descriptor;

static u32
swap32 (u32 value)
{
  return value >> 24 | (value >> 8 & 0xff00) | (value << 8 & 0xff0000) | value << 24;
}

static void
out32 (u16 port, u32 value)
{
  __asm__ volatile ("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* Reads on from the selected item. @control: with FW_CFG_DMA_SELECT and the key from the start of an item. FALSE: refused. */
static int
fw_read (u32 control, u32 address, u32 length)
{
  volatile FwDescriptor *shared = &descriptor;

  shared->control = swap32 (control | FW_CFG_DMA_READ);
  shared->length = swap32 (length);
  shared->address = (u64) swap32 (address) << 32;
  out32 (FW_CFG_DMA_PORT, 0);
  out32 (FW_CFG_DMA_PORT + 4, swap32 ((u32) (unsigned long) shared));
  while (swap32 (shared->control) & ~(u32) FW_CFG_DMA_ERROR)
    ;
  return shared->control == 0;
}

static u32
select (u32 key)
{
  return key << 16 | FW_CFG_DMA_SELECT;
}

/* Key of the file with this name and, when @number is not negative, two digits after it; 0: there is none. */
static u32
find_file (const FwFile *files, u32 n_files, const char *name, int number)
{
  for (u32 i = 0; i < n_files; i++)
    {
      const char *seen = files[i].name;
      const char *wanted = name;

      while (*wanted != '\0' && *seen == *wanted)
        seen++, wanted++;
      if (*wanted != '\0')
        continue;
      if (number < 0 ? seen[0] == '\0' : seen[0] == '0' + number / 10 && seen[1] == '0' + number % 10 && seen[2] == '\0')
        return (u32) (files[i].key >> 8 | (files[i].key & 0xff) << 8);
    }
  return 0;
}

static int
is_ram (u32 address, u32 length)
{
  for (u32 i = 0; i < rom_n_e820; i++)
    if (rom_e820[i].type == 1 && rom_e820[i].base <= address && (u64) address + length <= rom_e820[i].base + rom_e820[i].length)
      return 1;
  return 0;
}

static u32
find_rsdp (void)
{
  for (const u8 *p = (const u8 *) 0xe0000; p < (const u8 *) 0x100000; p += 16)
    {
      const u32 *words = (const u32 *) p;
      u8 sum = 0;

      if (words[0] != 0x20445352 || words[1] != 0x20525450) /* "RSD PTR " */
        continue;
      for (u32 i = 0; i < 20; i++)
        sum += p[i];
      if (sum == 0)
        return (u32) (unsigned long) p;
    }
  return 0;
}

static void
enter_multiboot (const RomPlan *plan, u32 maps)
{
  MultibootInfo *info = (MultibootInfo *) ROM_INFO;
  MultibootMmap *mmap = (MultibootMmap *) (unsigned long) maps;

  for (u32 i = 0; i < rom_n_e820; i++)
    {
      const E820Entry *entry = &rom_e820[i];

      mmap[i].size = sizeof mmap[i] - sizeof mmap[i].size;
      mmap[i].base = entry->base;
      mmap[i].length = entry->length;
      mmap[i].type = entry->type;
      if (entry->type == 1 && entry->base == 0)
        info->mem_lower = (u32) (entry->length >> 10);
      if (entry->type == 1 && entry->base == 0x100000)
        info->mem_upper = (u32) (entry->length >> 10);
    }
  info->mmap_addr = maps;
  info->mmap_length = rom_n_e820 * sizeof mmap[0];
  info->flags |= MULTIBOOT_HAS_MEMORY | MULTIBOOT_HAS_MMAP;
  rom_enter (plan->entry, MULTIBOOT_MAGIC, ROM_INFO);
}

static void
enter_pvh (const RomPlan *plan, u32 maps)
{
  PvhStartInfo *info = (PvhStartInfo *) ROM_INFO;
  PvhMemmap *memmap = (PvhMemmap *) (unsigned long) maps;

  for (u32 i = 0; i < rom_n_e820; i++)
    {
      memmap[i].address = rom_e820[i].base;
      memmap[i].size = rom_e820[i].length;
      memmap[i].type = rom_e820[i].type;
      memmap[i].reserved = 0;
    }
  info->memmap = maps;
  info->n_memmap = rom_n_e820;
  info->rsdp = find_rsdp ();
  rom_enter (plan->entry, 0, ROM_INFO);
}

const char *
rom_main (void)
{
  u32 *count = (u32 *) ROM_WORK;
  FwFile *files = (FwFile *) (ROM_WORK + 4);
  RomPlan *plan = (RomPlan *) (ROM_WORK_END - sizeof (RomPlan));
  u32 n_files, key, maps;

  if (!fw_read (select (FW_CFG_DIRECTORY), ROM_WORK, 4))
    return "Lodge: fw_cfg does not answer\r\n";
  n_files = swap32 (*count);
  if (n_files > FW_CFG_MAX_FILES)
    return "Lodge: fw_cfg has too many files\r\n";
  if (!fw_read (0, (u32) (unsigned long) files, n_files * sizeof (FwFile)))
    return "Lodge: fw_cfg has no directory\r\n";
  key = find_file (files, n_files, ROM_PLAN_FILE, -1);
  if (key == 0 || !fw_read (select (key), (u32) (unsigned long) plan, sizeof *plan) || plan->magic != ROM_PLAN_MAGIC)
    return "Lodge: there is no kernel to start\r\n";

  for (u32 i = 0; i < plan->n_pieces && i < ROM_MAX_PIECES; i++)
    {
      if (!is_ram (plan->pieces[i].address, plan->pieces[i].length))
        return "Lodge: the kernel or what goes with it does not fit into the machine's memory\r\n";
      key = find_file (files, n_files, ROM_PIECE_FILE, (int) i);
      if (key == 0 || !fw_read (select (key), plan->pieces[i].address, plan->pieces[i].length))
        return "Lodge: the kernel could not be read\r\n";
    }

  maps = ROM_INFO + ((plan->info_length + 7) & ~7u);
  switch (plan->kind)
    {
    case ROM_KIND_LINUX:
      rom_enter_linux ();
    case ROM_KIND_MULTIBOOT:
      enter_multiboot (plan, maps);
      break;
    case ROM_KIND_PVH:
      enter_pvh (plan, maps);
      break;
    default:
      break;
    }
  return "Lodge: the plan to start the kernel makes no sense\r\n";
}

/* Compilers may call these on their own. */
void *memcpy (void *to, const void *from, unsigned long n);
void *memset (void *to, int value, unsigned long n);

void *
memcpy (void *to, const void *from, unsigned long n)
{
  for (unsigned long i = 0; i < n; i++)
    ((volatile u8 *) to)[i] = ((const u8 *) from)[i];
  return to;
}

void *
memset (void *to, int value, unsigned long n)
{
  for (unsigned long i = 0; i < n; i++)
    ((volatile u8 *) to)[i] = (u8) value;
  return to;
}
