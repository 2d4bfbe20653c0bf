/* SPDX-License-Identifier: GPL-3.0-or-later */
/* VGA with Bochs VBE: what its files share. vga.c: the standard VGA device, the ports; vga-vbe.c: Bochs VBE and the MMIO BAR; vga-memory.c: the
 * window at A0000; vga-mode.c: what the registers mean; vga-draw.c and vga-text.c: the picture. */
#pragma once

#include "display/console.h"
#include "pci/pci.h"

#define VMM_VGA_DEVFN VMM_PCI_DEVFN (1, 0) /* where PC firmware and guests are used to find it */
#define VMM_VGA_MAX_WIDTH 4096             /* pixels; a guest that asks for more gets this */
#define VMM_VGA_MAX_HEIGHT 4096
#define VMM_VGA_PAGE 4096                /* bytes; grain of the dirty log */
#define VMM_VGA_LEGACY_SIZE (256 * 1024) /* bytes: four planes of 64 KiB */

/* Indexes of the Bochs VBE registers */
enum {
  VMM_VGA_DISPI_ID,
  VMM_VGA_DISPI_XRES,
  VMM_VGA_DISPI_YRES,
  VMM_VGA_DISPI_BPP,
  VMM_VGA_DISPI_ENABLE,
  VMM_VGA_DISPI_BANK,
  VMM_VGA_DISPI_VIRT_WIDTH,
  VMM_VGA_DISPI_VIRT_HEIGHT,
  VMM_VGA_DISPI_X_OFFSET,
  VMM_VGA_DISPI_Y_OFFSET,
  VMM_VGA_DISPI_MEMORY,
  VMM_VGA_DISPI_COUNT
};
#define VMM_VGA_DISPI_ENABLED 0x01
#define VMM_VGA_DISPI_GETCAPS 0x02
#define VMM_VGA_DISPI_8BIT_DAC 0x20
#define VMM_VGA_DISPI_LFB 0x40
#define VMM_VGA_DISPI_NOCLEAR 0x80

/* Registers. Names as in IBM's manual: seq[n] is SRn, gfx GRn, crtc CRn, attr ARn. */
typedef struct {
  guint8 misc, feature, enable;
  guint8 seq_index, seq[8];
  guint8 gfx_index, gfx[9];
  guint8 attr_index, attr[21], attr_data; /* attr_data: the next write to 3C0 is data */
  guint8 crtc_index, crtc[25];
  guint8 dac_mask, dac_state, dac_read, dac_write, dac_part, dac_latch[2];
  guint8 dac[768];
  guint8 big_endian; /* linear modes of 15 bits and more */
  guint8 dispi_low;  /* low byte of a word written to the odd port 1CF */
  guint8 latch[4];   /* of the planes */
  guint16 dispi_index, dispi[VMM_VGA_DISPI_COUNT];
} VmmVgaRegs;

/* Video memory, kept by whoever still shows it. Plane p of address a is byte 4a + p; chain-4 and linear memory is the bytes in order. */
typedef struct {
  gatomicrefcount ref_count;
  VmmRam *ram;
} VmmVgaMemory;

typedef enum {
  VMM_VGA_TEXT,
  VMM_VGA_PLANAR, /* 16 colours, one bit a plane */
  VMM_VGA_CGA,    /* two bits a pixel, interleaved planes */
  VMM_VGA_256,    /* one byte a pixel, each two dots wide */
  VMM_VGA_LINEAR_8,
  VMM_VGA_LINEAR_15,
  VMM_VGA_LINEAR_16,
  VMM_VGA_LINEAR_24,
  VMM_VGA_LINEAR_32, /* needs conversion */
  VMM_VGA_DIRECT,    /* shown from video memory */
} VmmVgaKind;

/* What to show, worked out from the registers. Without padding: compared as bytes. */
typedef struct {
  guint32 kind; /* VmmVgaKind */
  guint32 blank;
  gint32 width, height; /* pixels */
  guint32 start;        /* linear: first byte; else: address counter of the first line */
  guint32 pitch;        /* linear: bytes a line; else: address counter from one row of characters to the next */
  guint32 big_endian;
  /* not for linear kinds */
  guint32 chars;          /* character clocks a line */
  guint32 dots;           /* 8 or 9 */
  guint32 dot_repeat;     /* 1 or 2 pixels a dot */
  guint32 row_lines;      /* rows in a line of characters */
  guint32 line_repeat;    /* 1 or 2 lines a row */
  guint32 first_row;      /* preset row scan */
  guint32 split;          /* line from which on memory is shown from address 0, or height */
  guint32 pan, pan_below; /* dots; above and below the split */
  guint32 word, word_bit; /* word mode, and the counter bit that becomes address bit 0 in it */
  guint32 row_bits;       /* bit 0, 1: address bits 13, 14 come from the row */
  guint32 wrap;           /* mask of addresses */
  /* text */
  guint32 font[2];       /* address in plane 2 of the font for attribute bit 3 clear, set */
  guint32 line_graphics; /* ninth dot of C0-DF repeats the eighth */
  guint32 blink;         /* attribute bit 7 blinks */
  guint32 underline;     /* row, for attributes that underline */
} VmmVgaMode;

/* Lines of the picture that show rows of one line of characters. */
typedef struct {
  int y, lines;    /* pixels */
  guint32 counter; /* address counter at the left */
  guint row;       /* first row shown */
  gboolean below;  /* the split */
} VmmVgaBand;

typedef struct _VmmVga VmmVga;

typedef struct {
  VmmVga *vga;
  VmmRegion region;
  guint first; /* port */
} VmmVgaPorts;

/* The adapter as a part of a PCI function: of standard VGA, of virtio-vga. */
struct _VmmVga {
  VmmPciDevice *pci;   /* (not owned) */
  VmmVgaRegs *regs;    /* (not owned) */
  VmmConsole *console; /* (not owned) */
  VmmVgaMemory *memory;
  guint8 *vram;
  guint32 vram_size; /* bytes, power of two */
  guint8 edid[256];
  VmmRegion window, dispi_ports;
  VmmVgaPorts ports[5];

  /* Picture; meaningful while somebody looks */
  gboolean stale;           /* registers were written since mode and palette were worked out */
  gboolean redraw;          /* everything */
  gboolean touched;         /* some bit of dirty is set */
  gboolean font_touched;    /* plane 2 may have been written */
  gboolean direct;          /* the console's surface is video memory or somebody else's: not to be drawn into */
  guint64 *dirty, *fetched; /* bit a page; VMM_VGA_PAGE */
  gsize dirty_words;
  VmmVgaMode mode;
  guint32 palette[256]; /* colours as pixels; text, planar, CGA use the first 16 */
  guint32 *cells;       /* text: what is drawn where; see vga-text.c */
  gsize n_cells;
  guint8 glyphs[2][256 * 32]; /* text: the fonts as drawn */
  guint32 phase;              /* text: what blinks is visible */
};

typedef struct {
  VmmPciDevice pci;
  VmmVgaRegs regs;
  VmmVga vga;
} VmmStdVga;

/* vga.c */

typedef struct {
  VmmPciDevice *pci; /* initialised, BARs 0 and 2 and the ROM free */
  VmmVgaRegs *regs;
  gsize memory;      /* bytes, power of two */
  int width, height; /* preferred, for EDID */
  const char *rom;   /* file name of the VGA BIOS, where the device has no setting "rom" */
} VmmVgaParams;

/* In realize; the console is the caller's to set then. On failure nothing is left. */
gboolean vmm_vga_realize (VmmVga *vga, const VmmVgaParams *params, GError **error);
void vmm_vga_unrealize (VmmVga *vga);                /* in unrealize, after the PCI function was cleared */
void vmm_vga_reset (VmmVga *vga, VmmResetKind kind); /* after the PCI function's */
void vmm_vga_post_load (VmmVga *vga);
/* The console showed something else meanwhile. */
void vmm_vga_show_again (VmmVga *vga);
/* Of VmmVgaRegs at @member of @Struct, without an end. */
#define VMM_VGA_FIELDS(Struct, member)                                                                                            \
  VMM_FIELD (Struct, member.misc), VMM_FIELD (Struct, member.feature), VMM_FIELD (Struct, member.enable),                         \
      VMM_FIELD_MAX (Struct, member.seq_index, 7), VMM_FIELD_ARRAY (Struct, member.seq),                                          \
      VMM_FIELD_MAX (Struct, member.gfx_index, 15), VMM_FIELD_ARRAY (Struct, member.gfx), VMM_FIELD (Struct, member.attr_index),  \
      VMM_FIELD_ARRAY (Struct, member.attr), VMM_FIELD_MAX (Struct, member.attr_data, 1), VMM_FIELD (Struct, member.crtc_index),  \
      VMM_FIELD_ARRAY (Struct, member.crtc), VMM_FIELD (Struct, member.dac_mask), VMM_FIELD (Struct, member.dac_state),           \
      VMM_FIELD (Struct, member.dac_read), VMM_FIELD (Struct, member.dac_write), VMM_FIELD_MAX (Struct, member.dac_part, 2),      \
      VMM_FIELD_ARRAY (Struct, member.dac_latch), VMM_FIELD_ARRAY (Struct, member.dac),                                           \
      VMM_FIELD_MAX (Struct, member.big_endian, 1), VMM_FIELD (Struct, member.dispi_low), VMM_FIELD_ARRAY (Struct, member.latch), \
      VMM_FIELD (Struct, member.dispi_index), VMM_FIELD_ARRAY (Struct, member.dispi)

guint8 vmm_vga_port_read (VmmVga *vga, guint port);
void vmm_vga_port_write (VmmVga *vga, guint port, guint8 value);

/* vga-vbe.c */
extern const VmmRegionOps vmm_vga_dispi_port_ops, vmm_vga_mmio_ops;
gboolean vmm_vga_dispi_enabled (const VmmVgaRegs *regs);
void vmm_vga_dispi_reset (VmmVga *vga);
/* A saved state was loaded: whatever it holds, the picture lies in video memory. */
void vmm_vga_dispi_sanitize (VmmVga *vga);
/* Bytes from line to line. */
guint32 vmm_vga_dispi_stride (const VmmVgaRegs *regs);

/* vga-memory.c */
extern const VmmRegionOps vmm_vga_window_ops;
VmmVgaMemory *vmm_vga_memory_new (gsize size, GError **error);
VmmVgaMemory *vmm_vga_memory_ref (VmmVgaMemory *memory);
void vmm_vga_memory_unref (gpointer memory);
/* Marks bytes of video memory as changed; within it. */
void vmm_vga_mark_dirty (VmmVga *vga, guint32 offset, guint32 len);
void vmm_vga_mark_all_dirty (VmmVga *vga);
gboolean vmm_vga_is_dirty (const VmmVga *vga, guint32 offset, guint32 len);

/* vga-mode.c: pure functions of the registers */
void vmm_vga_mode_from_regs (const VmmVgaRegs *regs, guint32 vram_size, VmmVgaMode *ret_mode);
void vmm_vga_palette_from_regs (const VmmVgaRegs *regs, const VmmVgaMode *mode, guint32 ret_palette[256]);
guint8 vmm_vga_input_status (const VmmVgaRegs *regs, gint64 now_ns);
gint64 vmm_vga_frame_ns (const VmmVgaRegs *regs);
/* Address in each plane of one character clock. */
guint32 vmm_vga_address (const VmmVgaMode *mode, guint32 counter, guint row);
/* @band: zeroed before the first call. FALSE: the picture is complete. */
gboolean vmm_vga_next_band (const VmmVgaMode *mode, VmmVgaBand *band);

/* vga-draw.c */
void vmm_vga_set_watched (VmmVga *vga, gboolean watched);
void vmm_vga_update (VmmVga *vga);

/* vga-text.c */
void vmm_vga_text_draw (VmmVga *vga, VmmSurface *surface);
gboolean vmm_vga_text_dump (VmmVga *vga, GString *text);
