/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Standard VGA adapter: PCI 1234:1111 with the legacy ports and window, video memory as BAR0, Bochs VBE.
 * Spec: IBM Personal System/2 Hardware Interface Technical Reference, Video Subsystem (1992); QEMU docs/specs/standard-vga; contract 7.1.
 * Left out: vertical retrace interrupt, feature connector, monitor sense.
 *
 * Theory of operation: registers and window are plain state; writing them only notes that the picture may have changed (vga->stale, the
 * dirty pages). The picture is made when a viewer pulls (vga-draw.c), so an adapter that nobody looks at costs the guest's own accesses and
 * nothing more: there are no timers, and retrace and blinking are worked out from the machine's clock when somebody asks. Writes to the
 * window may be late (coalesced by KVM); the bus carries them out before any other access and before a pull. */
#include "display/vga.h"

#include "core/clock.h"
#include "display/edid.h"
#include "firmware/firmware.h"

#include <string.h>
#include <sys/mman.h>

#define VGA_ROM "vgabios-stdvga.bin"
#define VGA_BAR_VRAM 0
#define VGA_BAR_MMIO 2
#define VGA_MMIO_SIZE 0x1000
#define VGA_WINDOW 0xa0000
#define VGA_WINDOW_SIZE 0x20000
#define VGA_DISPI_PORTS 0x1ce

#define VGA_MISC_COLOR 0x01 /* CRTC at 3Dx instead of 3Bx */
#define VGA_CR11_PROTECT 0x80
#define VGA_DAC_WRITING 0x00
#define VGA_DAC_READING 0x03

static const struct {
  guint16 port, n;
} vga_port_ranges[] = { { 0x3b4, 2 }, { 0x3ba, 1 }, { 0x3c0, 16 }, { 0x3d4, 2 }, { 0x3da, 1 } };

G_STATIC_ASSERT (G_N_ELEMENTS (vga_port_ranges) == G_N_ELEMENTS (((VmmVga *) 0)->ports));

static const char *const vga_memory_choices[] = { "8", "16", "32", "64", NULL };

static const VmmSetting vga_settings[] = {
  { .key = "memory",
    .type = VMM_SETTING_ENUM,
    .fallback = "16",
    .choices = vga_memory_choices,
    .summary = N_ ("Video memory in MiB; 3840×2160 needs 32") },
  { .key = "width",
    .type = VMM_SETTING_INT,
    .fallback = "1280",
    .min = 640,
    .max = 3840,
    .summary = N_ ("Preferred width of the screen in pixels") },
  { .key = "height",
    .type = VMM_SETTING_INT,
    .fallback = "800",
    .min = 480,
    .max = 2160,
    .summary = N_ ("Preferred height of the screen in pixels") },
  { .key = "rom", .type = VMM_SETTING_PATH, .summary = N_ ("VGA BIOS image instead of the distribution's") },
  { .key = NULL },
};

typedef struct {
  VmmVgaRegs vga;
} VgaSaved;

static const VmmField vga_fields[] = { VMM_VGA_FIELDS (VgaSaved, vga), VMM_FIELD_END };

/* Bits that exist; the others read 0. */
static const guint8 vga_seq_mask[8] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };
static const guint8 vga_gfx_mask[9] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };
static const guint8 vga_attr_mask[21] = { 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                          0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f };

/* The DAC: three writes or reads a colour. */

static guint8
vga_dac_read (VmmVgaRegs *regs)
{
  guint8 value = regs->dac[regs->dac_read * 3u + regs->dac_part % 3u];

  if (++regs->dac_part >= 3)
    {
      regs->dac_part = 0;
      regs->dac_read++;
    }
  return value;
}

/* The colour changes at once when its third part comes. */
static void
vga_dac_write (VmmVgaRegs *regs, guint8 value)
{
  if (!(regs->dispi[VMM_VGA_DISPI_ENABLE] & VMM_VGA_DISPI_8BIT_DAC))
    value &= 0x3f;
  if (regs->dac_part < 2)
    {
      regs->dac_latch[regs->dac_part++] = value;
      return;
    }
  memcpy (&regs->dac[regs->dac_write * 3u], regs->dac_latch, 2);
  regs->dac[regs->dac_write * 3u + 2] = value;
  regs->dac_part = 0;
  regs->dac_write++;
}

static void
vga_crtc_write (VmmVgaRegs *regs, guint8 value)
{
  guint index = regs->crtc_index;

  if (index >= G_N_ELEMENTS (regs->crtc))
    return;
  if (index <= 0x07 && (regs->crtc[0x11] & VGA_CR11_PROTECT))
    {
      /* Of the protected registers only bit 8 of the line compare can be written. */
      if (index == 0x07)
        regs->crtc[0x07] = (guint8) ((regs->crtc[0x07] & ~0x10) | (value & 0x10));
      return;
    }
  regs->crtc[index] = value;
}

static void
vga_attr_write (VmmVgaRegs *regs, guint8 value)
{
  guint index = regs->attr_index & 0x1f;

  if (!regs->attr_data)
    regs->attr_index = value & 0x3f;
  else if (index < G_N_ELEMENTS (regs->attr))
    regs->attr[index] = value & vga_attr_mask[index];
  regs->attr_data = !regs->attr_data;
}

/* Ports of the CRT controller and the status are at 3Bx or 3Dx; the others are not there. */
static gboolean
vga_port_hidden (const VmmVgaRegs *regs, guint port)
{
  return (port >= 0x3d0 && !(regs->misc & VGA_MISC_COLOR)) || (port < 0x3c0 && (regs->misc & VGA_MISC_COLOR));
}

guint8
vmm_vga_port_read (VmmVga *vga, guint port)
{
  VmmVgaRegs *regs = vga->regs;

  if (vga_port_hidden (regs, port))
    return 0xff;
  switch (port)
    {
    case 0x3c0:
      return regs->attr_index;
    case 0x3c1:
      return (regs->attr_index & 0x1fu) < G_N_ELEMENTS (regs->attr) ? regs->attr[regs->attr_index & 0x1f] : 0;
    case 0x3c2:
      return 0;
    case 0x3c3:
      return regs->enable;
    case 0x3c4:
      return regs->seq_index;
    case 0x3c5:
      return regs->seq[regs->seq_index & 7];
    case 0x3c6:
      return regs->dac_mask;
    case 0x3c7:
      return regs->dac_state;
    case 0x3c8:
      return regs->dac_write;
    case 0x3c9:
      return vga_dac_read (regs);
    case 0x3ca:
      return regs->feature;
    case 0x3cc:
      return regs->misc;
    case 0x3ce:
      return regs->gfx_index;
    case 0x3cf:
      return regs->gfx_index < G_N_ELEMENTS (regs->gfx) ? regs->gfx[regs->gfx_index] : 0;
    case 0x3b4:
    case 0x3d4:
      return regs->crtc_index;
    case 0x3b5:
    case 0x3d5:
      return regs->crtc_index < G_N_ELEMENTS (regs->crtc) ? regs->crtc[regs->crtc_index] : 0;
    case 0x3ba:
    case 0x3da:
      regs->attr_data = 0;
      return vmm_vga_input_status (regs, vmm_clock_now (vmm_device_get_clock (&vga->pci->base)));
    default:
      return 0xff;
    }
}

void
vmm_vga_port_write (VmmVga *vga, guint port, guint8 value)
{
  VmmVgaRegs *regs = vga->regs;

  if (vga_port_hidden (regs, port))
    return;
  vga->stale = TRUE;
  switch (port)
    {
    case 0x3c0:
      vga_attr_write (regs, value);
      break;
    case 0x3c2:
      regs->misc = value & ~0x10;
      break;
    case 0x3c3:
      regs->enable = value & 0x01;
      break;
    case 0x3c4:
      regs->seq_index = value & 7;
      break;
    case 0x3c5:
      regs->seq[regs->seq_index & 7] = value & vga_seq_mask[regs->seq_index & 7];
      break;
    case 0x3c6:
      regs->dac_mask = value;
      break;
    case 0x3c7:
      regs->dac_read = value;
      regs->dac_state = VGA_DAC_READING;
      regs->dac_part = 0;
      break;
    case 0x3c8:
      regs->dac_write = value;
      regs->dac_state = VGA_DAC_WRITING;
      regs->dac_part = 0;
      break;
    case 0x3c9:
      vga_dac_write (regs, value);
      break;
    case 0x3ce:
      regs->gfx_index = value & 0x0f;
      break;
    case 0x3cf:
      if (regs->gfx_index < G_N_ELEMENTS (regs->gfx))
        regs->gfx[regs->gfx_index] = value & vga_gfx_mask[regs->gfx_index];
      break;
    case 0x3b4:
    case 0x3d4:
      regs->crtc_index = value;
      break;
    case 0x3b5:
    case 0x3d5:
      vga_crtc_write (regs, value);
      break;
    case 0x3ba:
    case 0x3da:
      regs->feature = value & 0x08;
      break;
    default:
      break;
    }
}

static guint64
vga_port_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  const VmmVgaPorts *ports = opaque;

  return vmm_vga_port_read (ports->vga, ports->first + (guint) offset);
}

static void
vga_port_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  const VmmVgaPorts *ports = opaque;

  vmm_vga_port_write (ports->vga, ports->first + (guint) offset, (guint8) value);
}

static const VmmRegionOps vga_port_ops = { .name = "vga-ports",
                                           .read = vga_port_read,
                                           .write = vga_port_write,
                                           .access_min = 1,
                                           .access_max = 1 };

/* The adapter */

void
vmm_vga_show_again (VmmVga *vga)
{
  vga->stale = vga->redraw = vga->direct = TRUE;
  vmm_vga_mark_all_dirty (vga);
}

void
vmm_vga_reset (VmmVga *vga, VmmResetKind kind)
{
  memset (vga->regs, 0, sizeof *vga->regs);
  vga->regs->dac_mask = 0xff;
  vmm_vga_dispi_reset (vga);
  /* Memory that lost power reads 0 here, and goes back to the host. */
  if (kind == VMM_RESET_COLD && madvise (vga->vram, vga->vram_size, MADV_REMOVE) < 0)
    memset (vga->vram, 0, vga->vram_size);
  vga->stale = TRUE;
  vmm_vga_mark_all_dirty (vga);
}

void
vmm_vga_post_load (VmmVga *vga)
{
  vmm_vga_dispi_sanitize (vga);
  vga->stale = TRUE;
  vmm_vga_mark_all_dirty (vga);
}

static gboolean
vga_add_rom (VmmVga *vga, const char *name, GError **error)
{
  g_autofree char *path = vmm_device_dup_path (&vga->pci->base, "rom");

  if (path == NULL)
    path = vmm_firmware_find_rom (name, error);
  return path != NULL && vmm_pci_device_add_rom (vga->pci, path, error);
}

void
vmm_vga_unrealize (VmmVga *vga)
{
  VmmBus *bus;

  if (vga->memory == NULL)
    return;
  bus = vmm_device_get_bus (&vga->pci->base);
  vmm_region_unmap (bus, &vga->window);
  vmm_region_unmap (bus, &vga->dispi_ports);
  for (guint i = 0; i < G_N_ELEMENTS (vga->ports); i++)
    vmm_region_unmap (bus, &vga->ports[i].region);
  g_clear_pointer (&vga->dirty, g_free);
  g_clear_pointer (&vga->fetched, g_free);
  g_clear_pointer (&vga->cells, g_free);
  g_clear_pointer (&vga->memory, vmm_vga_memory_unref);
}

gboolean
vmm_vga_realize (VmmVga *vga, const VmmVgaParams *params, GError **error)
{
  static const char *const classes[] = { "vga", "virtio-vga" };
  VmmDevice *dev = &params->pci->base;
  VmmBus *bus = vmm_device_get_bus (dev);

  for (guint i = 0; i < G_N_ELEMENTS (classes); i++)
    {
      VmmDevice *other = vmm_device_find_class (dev, classes[i]);

      if (other != NULL && other != dev)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "%s: there can be only one VGA adapter, and %s is one", dev->id,
                       other->id);
          return FALSE;
        }
    }
  vga->pci = params->pci;
  vga->regs = params->regs;
  if (!vga_add_rom (vga, params->rom, error))
    return FALSE;
  vga->memory = vmm_vga_memory_new (params->memory, error);
  if (vga->memory == NULL)
    return FALSE;
  vga->vram = vga->memory->ram->host;
  vga->vram_size = (guint32) params->memory;
  vga->dirty_words = params->memory / VMM_VGA_PAGE / 64;
  vga->dirty = g_new0 (guint64, vga->dirty_words);
  vga->fetched = g_new0 (guint64, vga->dirty_words);
  vga->stale = TRUE;
  vmm_edid_make (params->width & ~7, params->height, 0, vga->edid);

  vmm_pci_device_add_ram_bar (vga->pci, VGA_BAR_VRAM, vga->memory->ram, VMM_PCI_BAR_PREFETCH);
  vmm_pci_device_add_bar (vga->pci, VGA_BAR_MMIO, VMM_PCI_BAR_MMIO, VGA_MMIO_SIZE, VMM_PCI_BAR_32, &vmm_vga_mmio_ops, vga);

  vmm_region_init (&vga->window, dev, VMM_SPACE_MMIO, &vmm_vga_window_ops, vga, VGA_WINDOW_SIZE, VMM_REGION_COALESCE);
  vmm_region_map (bus, &vga->window, VGA_WINDOW);
  for (guint i = 0; i < G_N_ELEMENTS (vga_port_ranges); i++)
    {
      vga->ports[i].vga = vga;
      vga->ports[i].first = vga_port_ranges[i].port;
      vmm_bus_map_pio (&vga->ports[i].region, dev, &vga_port_ops, &vga->ports[i], vga_port_ranges[i].port, vga_port_ranges[i].n);
    }
  vmm_bus_map_pio (&vga->dispi_ports, dev, &vmm_vga_dispi_port_ops, vga, VGA_DISPI_PORTS, 3);
  return TRUE;
}

/* The device */

static void
vga_update (VmmDevice *dev, VmmConsole *console)
{
  vmm_vga_update (&((VmmStdVga *) dev)->vga);
}

static void
vga_set_watched (VmmDevice *dev, VmmConsole *console, gboolean watched)
{
  vmm_vga_set_watched (&((VmmStdVga *) dev)->vga, watched);
}

static gboolean
vga_text (VmmDevice *dev, GString *text)
{
  return vmm_vga_text_dump (&((VmmStdVga *) dev)->vga, text);
}

static const VmmConsoleOps vga_console_ops = { .update = vga_update, .set_watched = vga_set_watched, .text = vga_text };

static void
vga_reset (VmmDevice *dev, VmmResetKind kind)
{
  VmmStdVga *std = (VmmStdVga *) dev;

  vmm_pci_device_reset (&std->pci);
  vmm_vga_reset (&std->vga, kind);
}

static gboolean
vga_post_load (VmmDevice *dev, GError **error)
{
  VmmStdVga *std = (VmmStdVga *) dev;

  vmm_pci_device_post_load (&std->pci);
  vmm_vga_post_load (&std->vga);
  return TRUE;
}

static void
vga_unrealize (VmmDevice *dev)
{
  VmmStdVga *std = (VmmStdVga *) dev;

  g_clear_pointer (&std->vga.console, vmm_console_free);
  vmm_pci_device_clear (&std->pci);
  vmm_vga_unrealize (&std->vga);
}

static gboolean
vga_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x1234, .device = 0x1111, .revision = 2, .class_code = 0x030000 };
  VmmStdVga *std = (VmmStdVga *) dev;
  VmmPciBus *pci_bus = vmm_device_get_pci_bus (dev);
  VmmVgaParams params = { .pci = &std->pci,
                          .regs = &std->regs,
                          .memory = (gsize) g_ascii_strtoull (vmm_device_get_string (dev, "memory"), NULL, 10) << 20,
                          .width = (int) vmm_device_get_int (dev, "width"),
                          .height = (int) vmm_device_get_int (dev, "height"),
                          .rom = VGA_ROM };

  if (!vmm_pci_device_init (&std->pci, vmm_pci_bus_get_device (pci_bus, VMM_VGA_DEVFN) == NULL ? VMM_VGA_DEVFN : -1, &id, error))
    return FALSE;
  if (!vmm_vga_realize (&std->vga, &params, error))
    {
      vmm_pci_device_clear (&std->pci);
      return FALSE;
    }
  std->vga.console = vmm_console_new (dev, &vga_console_ops);
  return TRUE;
}

const VmmDeviceClass vmm_vga_class = {
  .name = "vga",
  .summary = N_ ("Standard VGA display"),
  .description = N_ ("A screen that every system can draw on, from the first moment of its start."),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (VmmStdVga),
  .settings = vga_settings,
  .regs_offset = G_STRUCT_OFFSET (VmmStdVga, regs),
  .regs_size = sizeof (VmmVgaRegs),
  .regs_fields = vga_fields,
  .state_version = 1,
  .realize = vga_realize,
  .reset = vga_reset,
  .unrealize = vga_unrealize,
  .post_load = vga_post_load,
};
