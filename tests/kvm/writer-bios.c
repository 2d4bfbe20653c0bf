/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A firmware image (64 KiB at the top of 4 GiB) that does nothing but write: finds the AHCI controller at 00:1f.2, starts its first port and
 * writes blocks of 4 to 64 KiB to places all over the first 64 MiB of the disk, for ever, with a FLUSH CACHE EXT after every eighth. The
 * content of a block tells where it belongs and which write it was. Says a byte on the debug console for every flush.
 * Spec: AHCI 1.3.1 §3, §4.2, §10.1; ATA8-ACS WRITE DMA EXT (35h), FLUSH CACHE EXT (EAh). */

typedef unsigned char u8;
typedef unsigned int u32;

#define HBA 0xd0000000u /* where we put BAR5 */
#define RAM_LIST 0x10000u
#define RAM_FIS 0x10400u
#define RAM_TABLE 0x11000u
#define RAM_DATA 0x20000u
#define DISK_SECTORS (64u * 2048)

static inline void
outb (u32 port, u8 value)
{
  __asm__ volatile ("outb %0, %w1" : : "a"(value), "Nd"(port));
}

static inline void
outl (u32 port, u32 value)
{
  __asm__ volatile ("outl %0, %w1" : : "a"(value), "Nd"(port));
}

static inline volatile u32 *
reg (u32 offset)
{
  return (volatile u32 *) (HBA + offset);
}

static void
config (u32 offset, u32 value)
{
  outl (0xcf8, 0x80000000u | 31 << 11 | 2 << 8 | offset);
  outl (0xcfc, value);
}

/* One command in slot 0 of port 0; @sectors 0: no data. */
static void
command (u8 ata, u32 lba, u32 sectors)
{
  volatile u32 *header = (volatile u32 *) RAM_LIST;
  volatile u8 *fis = (volatile u8 *) RAM_TABLE;
  volatile u32 *prd = (volatile u32 *) (RAM_TABLE + 0x80);

  header[0] = 5 | (sectors != 0 ? 1u << 6 | 1u << 16 : 0);
  header[1] = 0;
  header[2] = RAM_TABLE;
  header[3] = 0;
  for (u32 i = 0; i < 20; i++)
    fis[i] = 0;
  fis[0] = 0x27;
  fis[1] = 0x80;
  fis[2] = ata;
  fis[4] = (u8) lba;
  fis[5] = (u8) (lba >> 8);
  fis[6] = (u8) (lba >> 16);
  fis[7] = 0x40;
  fis[8] = (u8) (lba >> 24);
  fis[12] = (u8) sectors;
  fis[13] = (u8) (sectors >> 8);
  prd[0] = RAM_DATA;
  prd[1] = 0;
  prd[2] = 0;
  prd[3] = sectors != 0 ? sectors * 512 - 1 : 0;
  *reg (0x138) = 1; /* PxCI */
  while (*reg (0x138) & 1)
    __asm__ volatile ("pause");
}

__attribute__ ((noreturn, used)) void
firmware_main (void)
{
  u32 seed;

  __asm__ volatile ("rdtsc" : "=a"(seed) : : "edx");
  config (0x24, HBA);
  config (0x04, 0x0006); /* memory decoding, bus master */
  *reg (0x04) = 0x80000000u;
  *reg (0x118) &= ~0x11u; /* ST, FRE off */
  *reg (0x100) = RAM_LIST;
  *reg (0x104) = 0;
  *reg (0x108) = RAM_FIS;
  *reg (0x10c) = 0;
  *reg (0x130) = 0xffffffffu;
  *reg (0x118) |= 0x10;
  *reg (0x118) |= 0x01;

  for (u32 round = 1;; round++)
    {
      u32 sectors, lba;

      seed = seed * 1664525u + 1013904223u;
      sectors = 8u << (seed >> 28 & 3) << (seed >> 30 & 1);
      lba = (seed >> 4) % (DISK_SECTORS - sectors);
      for (u32 i = 0; i < sectors; i++)
        {
          volatile u32 *block = (volatile u32 *) (RAM_DATA + i * 512);

          block[0] = 0x4c4f4447;
          block[1] = lba + i;
          block[2] = round;
        }
      command (0x35, lba, sectors);
      if (round % 8 == 0)
        {
          command (0xea, 0, 0);
          outb (0x402, '.');
          outb (0x402, '\n');
        }
    }
}
