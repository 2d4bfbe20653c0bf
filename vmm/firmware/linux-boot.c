/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Linux bzImage by its 16-bit entry: the setup code asks the BIOS for memory map and video mode, so all works as after a boot loader.
 * Spec: Linux Documentation/arch/x86/boot.rst, protocol 2.02 and later. Left out on purpose: zImage, protocols before 2.02 (before
 *   Linux 2.4), setup_data, loading above 4 GiB. */
#include "firmware/boot-plan.h"

#include <string.h>

/* Offsets in the setup header. */
#define LBOOT_SETUP_SECTS 0x1f1
#define LBOOT_SYSSIZE 0x1f4
#define LBOOT_VID_MODE 0x1fa
#define LBOOT_BOOT_FLAG 0x1fe
#define LBOOT_MAGIC 0x202
#define LBOOT_VERSION 0x206
#define LBOOT_TYPE_OF_LOADER 0x210
#define LBOOT_LOADFLAGS 0x211
#define LBOOT_RAMDISK_IMAGE 0x218
#define LBOOT_RAMDISK_SIZE 0x21c
#define LBOOT_HEAP_END_PTR 0x224
#define LBOOT_CMD_LINE_PTR 0x228
#define LBOOT_INITRD_ADDR_MAX 0x22c
#define LBOOT_CMDLINE_SIZE 0x238
#define LBOOT_PREF_ADDRESS 0x258
#define LBOOT_INIT_SIZE 0x260
#define LBOOT_HEADER_END 0x264

#define LBOOT_HDRS 0x53726448 /* "HdrS" */
#define LBOOT_LOADED_HIGH 0x01
#define LBOOT_CAN_USE_HEAP 0x80
#define LBOOT_LOADER_UNDEFINED 0xff
#define LBOOT_SECTOR 512
#define LBOOT_MAX_SETUP 0x8000
#define LBOOT_KERNEL_ADDRESS 0x100000
#define LBOOT_PAGE 4096

#define LBOOT_VIDEO_NORMAL 0xffff
#define LBOOT_VIDEO_EXTENDED 0xfffe
#define LBOOT_VIDEO_ASK 0xfffd

static guint32
lboot_get (const guint8 *data, gsize offset, guint size)
{
  guint32 value = 0;

  memcpy (&value, data + offset, size);
  return GUINT32_FROM_LE (value);
}

static void
lboot_put (guint8 *data, gsize offset, guint size, guint32 value)
{
  value = GUINT32_TO_LE (value);
  memcpy (data + offset, &value, size);
}

gboolean
vmm_linux_is_image (const guint8 *data, gsize len)
{
  return len >= 2 * LBOOT_SECTOR && lboot_get (data, LBOOT_BOOT_FLAG, 2) == 0xaa55
         && lboot_get (data, LBOOT_MAGIC, 4) == LBOOT_HDRS;
}

/* The option vga= is the boot loader's to carry out. */
static guint16
lboot_video_mode (const char *cmdline)
{
  g_auto (GStrv) words = g_strsplit (cmdline, " ", -1);
  guint16 mode = LBOOT_VIDEO_NORMAL;

  for (char **word = words; *word != NULL; word++)
    {
      const char *value = *word + 4;
      guint64 number;

      if (!g_str_has_prefix (*word, "vga="))
        continue;
      if (g_str_equal (value, "normal"))
        mode = LBOOT_VIDEO_NORMAL;
      else if (g_str_equal (value, "ext"))
        mode = LBOOT_VIDEO_EXTENDED;
      else if (g_str_equal (value, "ask"))
        mode = LBOOT_VIDEO_ASK;
      else if (g_ascii_string_to_unsigned (g_str_has_prefix (value, "0x") ? value + 2 : value,
                                           g_str_has_prefix (value, "0x") ? 16 : 10, 0, G_MAXUINT16, &number, NULL))
        mode = (guint16) number;
    }
  return mode;
}

static gboolean
lboot_place_initrd (VmmBootPlan *plan, const VmmBootRequest *request, const guint8 *header, guint version, guint8 *setup,
                    GError **error)
{
  guint64 top = version >= 0x203 ? (guint64) lboot_get (header, LBOOT_INITRD_ADDR_MAX, 4) + 1 : 0x38000000;
  guint64 size = request->modules[0].size;
  guint64 bottom = vmm_boot_plan_get_end (plan);
  guint64 address;

  if (version >= 0x20a) /* where the kernel unpacks itself */
    {
      guint64 preferred = lboot_get (header, LBOOT_PREF_ADDRESS, 4);
      guint64 unpacked = MAX (preferred, LBOOT_KERNEL_ADDRESS) + lboot_get (header, LBOOT_INIT_SIZE, 4);

      bottom = MAX (bottom, (unpacked + LBOOT_PAGE - 1) & ~(guint64) (LBOOT_PAGE - 1));
    }
  top = MIN (top, request->memory_end);
  if (size > top || (address = (top - size) & ~(guint64) (LBOOT_PAGE - 1)) < bottom)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG,
                   "does not fit into memory together with %s (%" G_GUINT64_FORMAT " MiB): give the machine more memory",
                   request->modules[0].text, (size >> 20) + 1);
      return FALSE;
    }
  lboot_put (setup, LBOOT_RAMDISK_IMAGE, 4, (guint32) address);
  lboot_put (setup, LBOOT_RAMDISK_SIZE, 4, (guint32) size);
  return vmm_boot_plan_add_module (plan, request, 0, address, error);
}

gboolean
vmm_linux_plan (VmmBootPlan *plan, const VmmBootRequest *request, GError **error)
{
  const guint8 *header = request->kernel;
  guint sectors = header[LBOOT_SETUP_SECTS] != 0 ? header[LBOOT_SETUP_SECTS] : 4;
  gsize setup_len = (sectors + 1) * LBOOT_SECTOR;
  guint version = lboot_get (header, LBOOT_VERSION, 2);
  gsize cmdline_max = version >= 0x206 ? lboot_get (header, LBOOT_CMDLINE_SIZE, 4) : 255;
  gsize cmdline_len = strlen (request->cmdline);
  guint64 kernel_len;
  g_autofree guint8 *setup = NULL;

  G_STATIC_ASSERT (LBOOT_HEADER_END <= 2 * LBOOT_SECTOR);
  if (version < 0x202 || !(header[LBOOT_LOADFLAGS] & LBOOT_LOADED_HIGH))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED,
                   "is a Linux kernel with boot protocol %u.%02u%s; 2.02 and bzImage at least are needed", version >> 8,
                   version & 0xff, header[LBOOT_LOADFLAGS] & LBOOT_LOADED_HIGH ? "" : " (zImage)");
      return FALSE;
    }
  kernel_len = (guint64) lboot_get (header, LBOOT_SYSSIZE, version >= 0x204 ? 4 : 2) * 16;
  if (setup_len > LBOOT_MAX_SETUP || setup_len >= request->kernel_len)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT,
                   "is truncated or damaged: %" G_GSIZE_FORMAT " bytes of setup code in %" G_GSIZE_FORMAT " bytes", setup_len,
                   request->kernel_len);
      return FALSE;
    }
  /* The size is in paragraphs: the last may be incomplete. Before 2.04 the field is too small to tell. */
  if (version >= 0x204 && kernel_len > request->kernel_len - setup_len + 15)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT,
                   "is truncated: it has %" G_GSIZE_FORMAT " bytes of a kernel of %" G_GUINT64_FORMAT,
                   request->kernel_len - setup_len, kernel_len);
      return FALSE;
    }
  if (cmdline_len > cmdline_max || cmdline_len >= ROM_LOAD_LOW_END - ROM_LINUX_CMDLINE)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG,
                   "takes a command line of at most %" G_GSIZE_FORMAT " characters, not %" G_GSIZE_FORMAT, cmdline_max,
                   cmdline_len);
      return FALSE;
    }
  if (request->n_modules > 1)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG, "is a Linux kernel, which takes one initrd and no modules");
      return FALSE;
    }

  setup = g_memdup2 (header, setup_len);
  lboot_put (setup, LBOOT_VID_MODE, 2, lboot_video_mode (request->cmdline));
  setup[LBOOT_TYPE_OF_LOADER] = LBOOT_LOADER_UNDEFINED;
  setup[LBOOT_LOADFLAGS] |= LBOOT_CAN_USE_HEAP;
  lboot_put (setup, LBOOT_HEAP_END_PTR, 2, ROM_LINUX_STACK - 0x200);
  lboot_put (setup, LBOOT_CMD_LINE_PTR, 4, ROM_LINUX_CMDLINE);
  lboot_put (setup, LBOOT_RAMDISK_IMAGE, 4, 0);
  lboot_put (setup, LBOOT_RAMDISK_SIZE, 4, 0);

  plan->kind = ROM_KIND_LINUX;
  if (!vmm_boot_plan_add_kernel (plan, request, setup_len, request->kernel_len - setup_len, LBOOT_KERNEL_ADDRESS,
                                 request->kernel_len - setup_len, error))
    return FALSE;
  if (request->n_modules > 0 && !lboot_place_initrd (plan, request, header, version, setup, error))
    return FALSE;
  vmm_boot_plan_add_bytes (plan, g_bytes_new (setup, setup_len), ROM_LINUX_SETUP);
  vmm_boot_plan_add_bytes (plan, g_bytes_new (request->cmdline, cmdline_len + 1), ROM_LINUX_CMDLINE);
  return TRUE;
}
