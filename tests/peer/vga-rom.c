/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A BIOS that does nothing but program the VGA: one scenario an image (the byte at FFF00), then a mark on the debug console. Runs in our engine
 * and in QEMU, so it keeps to what both show alike: no cursor, no blinking, colours of eight bits in modes of 256 colours only. */
#include "../device/vga-mode-tables.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

extern const volatile u8 rom_scenario;
void rom_main (void);

static void
outb (u16 port, u8 value)
{
  __asm__ volatile ("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void
outw (u16 port, u16 value)
{
  __asm__ volatile ("outw %0, %1" : : "a"(value), "Nd"(port));
}

static u8
inb (u16 port)
{
  u8 value;

  __asm__ volatile ("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static void
reg (u16 port, u8 index, u8 value)
{
  outw (port, (u16) (index | value << 8));
}

static void
attr (u8 index, u8 value)
{
  inb (0x3da);
  outb (0x3c0, index);
  outb (0x3c0, value);
  outb (0x3c0, 0x20);
}

static void
dispi (u16 index, u16 value)
{
  outw (0x1ce, index);
  outw (0x1cf, value);
}

/* Numerical Recipes' generator */
static u32
next (u32 *state)
{
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static void
set_mode (const VgaTestMode *mode)
{
  u32 state = 1;

  outb (0x3c2, mode->misc);
  for (u8 i = 0; i < sizeof mode->seq; i++)
    reg (0x3c4, i, mode->seq[i]);
  reg (0x3d4, 0x11, 0);
  for (u8 i = 0; i < sizeof mode->crtc; i++)
    if (i != 0x11)
      reg (0x3d4, i, mode->crtc[i]);
  for (u8 i = 0; i < sizeof mode->gfx; i++)
    reg (0x3ce, i, mode->gfx[i]);
  inb (0x3da);
  for (u8 i = 0; i < sizeof mode->attr; i++)
    {
      outb (0x3c0, i);
      outb (0x3c0, mode->attr[i]);
    }
  outb (0x3c0, 0x20);
  dispi (4, mode->gfx[5] & 0x40 ? 0x20 : 0x00);
  outb (0x3c6, 0xff);
  outb (0x3c8, 0);
  for (u32 i = 0; i < 768; i++)
    outb (0x3c9, (u8) next (&state));
}

static void
fill (u32 address, u32 len, u32 state)
{
  for (u32 i = 0; i < len; i++)
    ((volatile u8 *) address)[i] = (u8) next (&state);
}

static void
load_font (u32 font, u32 seed)
{
  reg (0x3c4, 2, 0x04);
  reg (0x3c4, 4, 0x06);
  reg (0x3ce, 5, 0x00);
  reg (0x3ce, 6, 0x05);
  fill (0xa0000 + font, 8192, seed);
  reg (0x3c4, 2, 0x03);
  reg (0x3c4, 4, 0x02);
  reg (0x3ce, 5, 0x10);
  reg (0x3ce, 6, 0x0e);
}

/* Every character but B0-BF, where QEMU repeats the eighth dot and IBM does not. */
static void
text (void)
{
  volatile u8 *cells = (volatile u8 *) 0xb8000;
  u32 state = 5;

  load_font (0, 2);
  load_font (0x4000, 3);
  for (u32 i = 0; i < 16384; i++)
    {
      u8 character = (u8) next (&state);

      cells[2 * i] = (character & 0xf0) == 0xb0 ? character ^ 0x80 : character;
      cells[2 * i + 1] = (u8) next (&state);
    }
  reg (0x3d4, 0x0a, 0x20);
  attr (0x10, 0x04);
}

static void
planes (u32 len)
{
  for (u32 plane = 0; plane < 4; plane++)
    {
      reg (0x3c4, 2, (u8) (1 << plane));
      fill (0xa0000, len, 7 + plane);
    }
}

/* Random drawing in all write modes with all of their registers. */
static void
write_modes (void)
{
  u32 state = 77;
  volatile u8 *window = (volatile u8 *) 0xa0000;

  planes (38400);
  for (u32 i = 0; i < 20000; i++)
    {
      u32 value = next (&state);

      reg (0x3c4, 2, value & 15);
      reg (0x3ce, 0, value >> 4 & 15);
      reg (0x3ce, 1, value >> 8 & 15);
      reg (0x3ce, 3, value >> 12 & 0x1f);
      reg (0x3ce, 5, value >> 17 & 3);
      reg (0x3ce, 8, (u8) next (&state));
      (void) window[next (&state) % 38400];
      window[next (&state) % 38400] = (u8) next (&state);
    }
}

/* Reads in both modes become picture. */
static void
read_modes (void)
{
  u32 state = 99;
  volatile u8 *window = (volatile u8 *) 0xa0000;

  planes (38400);
  for (u32 i = 0; i < 10000; i++)
    {
      u32 value = next (&state);
      u8 byte;

      reg (0x3ce, 2, value & 15);
      reg (0x3ce, 4, value >> 4 & 3);
      reg (0x3ce, 7, value >> 8 & 15);
      reg (0x3ce, 5, value >> 12 & 1 ? 0x08 : 0x00);
      byte = window[next (&state) % 38400];
      reg (0x3c4, 2, value >> 16 & 15);
      window[next (&state) % 38400] = byte;
    }
}

static void
mode_x (void)
{
  static const u8 crtc[][2] = { { 0x06, 0x0d }, { 0x07, 0x3e }, { 0x09, 0x41 }, { 0x10, 0xea }, { 0x11, 0x2c },
                                { 0x12, 0xdf }, { 0x14, 0x00 }, { 0x15, 0xe7 }, { 0x16, 0x06 }, { 0x17, 0xe3 } };

  set_mode (&vga_test_mode_13);
  reg (0x3c4, 4, 0x06);
  outb (0x3c2, 0xe3);
  for (u32 i = 0; i < sizeof crtc / 2; i++)
    reg (0x3d4, crtc[i][0], crtc[i][1]);
  planes (65536);
}

static void
vbe (u16 width, u16 height, u16 bpp)
{
  set_mode (&vga_test_mode_13);
  dispi (4, 0);
  dispi (1, width);
  dispi (2, height);
  dispi (3, bpp);
  dispi (4, 0x61);
}

/* Random memory through the banked window. */
static void
banks (u32 size)
{
  for (u32 bank = 0; bank * 65536 < size; bank++)
    {
      volatile u32 *window = (volatile u32 *) 0xa0000;
      u32 state = bank + 11;

      dispi (5, (u16) bank);
      for (u32 i = 0; i < 16384; i++)
        window[i] = next (&state) << 8 ^ next (&state);
    }
}

static void
pci_write (u32 where, u32 value)
{
  __asm__ volatile ("outl %0, %1" : : "a"(0x80000800u | where), "Nd"((u16) 0xcf8));
  __asm__ volatile ("outl %0, %1" : : "a"(value), "Nd"((u16) 0xcfc));
}

/* Linear memory as a driver uses it: here and there, for a while. */
static void
linear (u32 width, u32 height)
{
  volatile u32 *pixels = (volatile u32 *) 0xe0000000;
  u32 state = 31;

  pci_write (0x10, 0xe0000000);
  pci_write (0x04, 0x00000003);
  for (u32 i = 0; i < 600; i++)
    {
      u32 x = next (&state) % (width - 40), y = next (&state) % (height - 20), color = next (&state);

      for (u32 row = 0; row < 20; row++)
        for (u32 column = 0; column < 40; column++)
          pixels[(y + row) * width + x + column] = color;
    }
}

void
rom_main (void)
{
  switch (rom_scenario)
    {
    case 0: /* text, 9 dots */
      set_mode (&vga_test_mode_3);
      text ();
      break;
    case 1: /* text, 8 dots, 50 lines, two fonts, from another address */
      set_mode (&vga_test_mode_3);
      text ();
      reg (0x3c4, 1, 0x01);
      reg (0x3c4, 3, 0x04);
      reg (0x3d4, 0x09, 0x47);
      reg (0x3d4, 0x0c, 0x01);
      reg (0x3d4, 0x0d, 0x23);
      break;
    case 2:
      set_mode (&vga_test_mode_12);
      write_modes ();
      break;
    case 3:
      set_mode (&vga_test_mode_12);
      read_modes ();
      break;
    case 4: /* split and panning */
      set_mode (&vga_test_mode_12);
      planes (65536);
      reg (0x3d4, 0x11, 0x0c);
      reg (0x3d4, 0x07, 0x2e);
      reg (0x3d4, 0x0c, 0x10);
      reg (0x3d4, 0x0d, 0x37);
      reg (0x3d4, 0x18, 200);
      attr (0x13, 0x03);
      break;
    case 5:
      set_mode (&vga_test_mode_13);
      fill (0xa0000, 64000, 21);
      break;
    case 6:
      mode_x ();
      break;
    case 7: /* the second page */
      mode_x ();
      reg (0x3d4, 0x0c, 19200 >> 8);
      reg (0x3d4, 0x0d, 19200 & 0xff);
      break;
    case 8:
      set_mode (&vga_test_mode_4);
      fill (0xb8000, 16384, 22);
      break;
    case 9:
      set_mode (&vga_test_mode_6);
      fill (0xb8000, 16384, 23);
      break;
    case 10:
      vbe (640, 480, 8);
      banks (640 * 480);
      break;
    case 11:
      vbe (640, 480, 15);
      banks (640 * 480 * 2);
      break;
    case 12:
      vbe (640, 480, 16);
      banks (640 * 480 * 2);
      break;
    case 13:
      vbe (640, 480, 24);
      banks (640 * 480 * 3);
      break;
    case 14:
      vbe (640, 480, 32);
      banks (640 * 480 * 4);
      break;
    case 15: /* wider memory, moved view */
      vbe (640, 480, 32);
      dispi (6, 800);
      dispi (8, 33);
      dispi (9, 20);
      banks (800 * 510 * 4);
      break;
    case 16:
      vbe (800, 600, 32);
      linear (800, 600);
      break;
    case 17: /* the same memory as 16 bits a pixel */
      vbe (1600, 600, 16);
      linear (800, 600);
      break;
    default:
      break;
    }
  outb (0x402, 'D');
}
