/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/boot.h"

#include "chipset/fw-cfg.h"
#include "core/config.h"
#include "core/machine.h"
#include "core/memory.h"
#include "firmware/boot-plan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What UEFI firmware asks fw_cfg for. */
#define BOOT_KEY_KERNEL_SIZE 0x08
#define BOOT_KEY_INITRD_SIZE 0x0b
#define BOOT_KEY_KERNEL 0x11
#define BOOT_KEY_INITRD 0x12
#define BOOT_KEY_CMDLINE_SIZE 0x14
#define BOOT_KEY_CMDLINE 0x15
#define BOOT_KEY_SETUP_SIZE 0x17
#define BOOT_KEY_SETUP 0x18

#define BOOT_SECTOR 512
#define BOOT_SETUP_SECTORS 0x1f1 /* Linux, Documentation/arch/x86/boot.rst */
#define BOOT_PE_OFFSET 0x3c      /* PE format §2.1 */

#define BOOT_ROM_NAME "genroms/lodge-boot.rom"
#define BOOT_MAX_KERNEL (512u << 20)
/* At the end of low memory the firmware keeps its tables (SeaBIOS: 256 KiB); the ROM checks again against the real map. */
#define BOOT_FIRMWARE_RESERVE (1u << 20)

G_STATIC_ASSERT (sizeof (RomPiece) == 8);
G_STATIC_ASSERT (sizeof (RomPlan) == 24 + ROM_MAX_PIECES * 8);

static const guint8 boot_rom[] = {
#include "boot-rom.inc"
};

typedef struct {
  char *path;
  char *text; /* what the kernel is told: name and arguments */
  int fd;
  guint64 size;
} BootFile;

static void
boot_file_clear (gpointer data)
{
  BootFile *file = data;

  g_free (file->path);
  g_free (file->text);
  if (file->fd >= 0)
    close (file->fd);
}

/* @path: (transfer full); @arguments: (nullable) */
static gboolean
boot_open (GArray *files, char *path, const char *arguments, GError **error)
{
  BootFile file = { .path = path, .fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) };
  g_autofree char *name = g_path_get_basename (path);
  struct stat st;

  file.text = arguments != NULL ? g_strconcat (name, " ", arguments, NULL) : g_strdup (name);
  if (file.fd < 0)
    g_set_error (error, VMM_ERROR, errno == ENOENT ? VMM_ERROR_NOT_FOUND : VMM_ERROR_HOST, "%s: %s", path, g_strerror (errno));
  else if (fstat (file.fd, &st) < 0 || !S_ISREG (st.st_mode))
    g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "%s: is no regular file", path);
  else if (st.st_size == 0)
    g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "%s: is empty", path);
  else
    {
      file.size = (guint64) st.st_size;
      g_array_append_val (files, file);
      return TRUE;
    }
  boot_file_clear (&file);
  return FALSE;
}

/* Reads the whole kernel, to look at it: it may change or shrink while we do. */
static guint8 *
boot_read (const BootFile *file, gsize *ret_len, GError **error)
{
  g_autofree guint8 *data = NULL;
  gsize len = 0;

  if (file->size > BOOT_MAX_KERNEL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "%s: is no kernel: it is larger than 512 MiB", file->path);
      return NULL;
    }
  data = g_try_malloc (file->size);
  if (data == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "%s: not enough memory to read it", file->path);
      return NULL;
    }
  while (len < file->size)
    {
      gssize n = pread (file->fd, data + len, file->size - len, (off_t) len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "%s: %s", file->path, g_strerror (errno));
          return NULL;
        }
      if (n == 0)
        break;
      len += (gsize) n;
    }
  *ret_len = len;
  return g_steal_pointer (&data);
}

/* "FILE ARGUMENTS": the whole if there is such a file, else up to the first blank. */
static gboolean
boot_open_module (GArray *files, const char *base_dir, const char *item, GError **error)
{
  g_autofree char *whole = g_canonicalize_filename (item, base_dir);
  const char *blank = strchr (item, ' ');
  g_autofree char *first = NULL;

  if (blank == NULL || g_file_test (whole, G_FILE_TEST_EXISTS))
    return boot_open (files, g_steal_pointer (&whole), NULL, error);
  first = g_strndup (item, (gsize) (blank - item));
  return boot_open (files, g_canonicalize_filename (first, base_dir), blank + 1, error);
}

/* The kernel, then the initrd, then the modules. */
static gboolean
boot_open_all (GArray *files, const VmmConfig *config, GError **error)
{
  g_autofree char *initrd = vmm_config_dup_kernel_path (config, "initrd");
  const char *modules = vmm_config_get_kernel (config, "modules");
  g_auto (GStrv) items = g_strsplit (modules != NULL ? modules : "", ";", -1);

  if (!boot_open (files, vmm_config_dup_kernel_path (config, "kernel"), NULL, error))
    return FALSE;
  if (initrd != NULL && *initrd != '\0' && !boot_open (files, g_steal_pointer (&initrd), NULL, error))
    return FALSE;
  for (char **item = items; *item != NULL; item++)
    if (*g_strstrip (*item) != '\0' && !boot_open_module (files, vmm_config_get_base_dir (config), *item, error))
      return FALSE;
  return TRUE;
}

/* Puts the plan where the ROM finds it. The files stay open, so what is loaded is what was looked at, unless it is written to. */
static gboolean
boot_publish (VmmFwCfg *fw_cfg, const VmmBootPlan *plan, const GArray *files, GError **error)
{
  RomPlan rom = { .magic = GUINT32_TO_LE (ROM_PLAN_MAGIC),
                  .kind = GUINT32_TO_LE (plan->kind),
                  .entry = GUINT32_TO_LE (plan->entry),
                  .info_length = GUINT32_TO_LE (plan->info_len),
                  .n_pieces = GUINT32_TO_LE (plan->pieces->len) };
  g_autoptr (GBytes) plan_bytes = NULL;
  g_autoptr (GBytes) rom_bytes = g_bytes_new_static (boot_rom, sizeof boot_rom);

  for (guint i = 0; i < plan->pieces->len; i++)
    {
      const VmmBootPiece *piece = &g_array_index (plan->pieces, VmmBootPiece, i);
      g_autofree char *name = g_strdup_printf (ROM_PIECE_FILE "%02u", i);

      rom.pieces[i].address = GUINT32_TO_LE (piece->address);
      rom.pieces[i].length = GUINT32_TO_LE (piece->memory_len);
      if (piece->source == VMM_BOOT_FROM_BYTES)
        vmm_fw_cfg_add_file (fw_cfg, name, piece->bytes);
      else
        {
          const BootFile *file = &g_array_index (files, BootFile, piece->source == VMM_BOOT_FROM_KERNEL ? 0 : piece->module + 1);
          int fd = fcntl (file->fd, F_DUPFD_CLOEXEC, 3);

          if (fd < 0)
            {
              g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "%s: %s", file->path, g_strerror (errno));
              return FALSE;
            }
          vmm_fw_cfg_add_fd_file (fw_cfg, name, fd, piece->offset, piece->len);
        }
    }
  plan_bytes = g_bytes_new (&rom, sizeof rom);
  vmm_fw_cfg_add_file (fw_cfg, ROM_PLAN_FILE, plan_bytes);
  vmm_fw_cfg_add_file (fw_cfg, BOOT_ROM_NAME, rom_bytes);
  vmm_fw_cfg_add_boot_path (fw_cfg, INT_MIN, "/rom@" BOOT_ROM_NAME);
  return TRUE;
}

/* Linux' EFI stub: a PE image that is a bzImage too. Returns: the length of the set-up part, or 0. */
static gsize
boot_find_efi_setup (const guint8 *kernel, gsize len)
{
  guint32 pe;
  gsize sectors;

  if (len < 0x260 || memcmp (kernel, "MZ", 2) != 0 || memcmp (kernel + 0x202, "HdrS", 4) != 0)
    return 0;
  memcpy (&pe, kernel + BOOT_PE_OFFSET, sizeof pe);
  pe = GUINT32_FROM_LE (pe);
  if (pe > len - 4 || memcmp (kernel + pe, "PE\0\0", 4) != 0)
    return 0;
  sectors = kernel[BOOT_SETUP_SECTORS] != 0 ? kernel[BOOT_SETUP_SECTORS] : 4;
  return (sectors + 1) * BOOT_SECTOR < len ? (sectors + 1) * BOOT_SECTOR : 0;
}

/* @data: (transfer full) */
static void
boot_set_blob (VmmFwCfg *fw_cfg, guint16 size_key, guint16 data_key, GBytes *data)
{
  vmm_fw_cfg_set_u32 (fw_cfg, size_key, (guint32) g_bytes_get_size (data));
  vmm_fw_cfg_set_item_bytes (fw_cfg, data_key, data);
  g_bytes_unref (data);
}

/* The firmware puts the two parts of the kernel together again and starts it as a program, the initrd beside it. */
static gboolean
boot_install_uefi (VmmMachine *machine, GError **error)
{
  g_autoptr (GArray) files = g_array_new (FALSE, FALSE, sizeof (BootFile));
  g_autoptr (GBytes) kernel = NULL;
  const char *append = vmm_config_get_kernel (machine->config, "append"),
             *modules = vmm_config_get_kernel (machine->config, "modules");
  guint8 *data;
  gsize len, setup_len;

  g_array_set_clear_func (files, boot_file_clear);
  if (modules != NULL && *modules != '\0')
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_INVALID_CONFIG,
                           "[kernel] modules: multiboot kernels start only with firmware=bios");
      return FALSE;
    }
  if (!boot_open_all (files, machine->config, error)
      || (data = boot_read (&g_array_index (files, BootFile, 0), &len, error)) == NULL)
    return FALSE;
  kernel = g_bytes_new_take (data, len);
  setup_len = boot_find_efi_setup (data, len);
  if (setup_len == 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED,
                   "%s: UEFI firmware starts only Linux kernels that are EFI programs; others start with firmware=bios",
                   g_array_index (files, BootFile, 0).path);
      return FALSE;
    }
  boot_set_blob (machine->fw_cfg, BOOT_KEY_SETUP_SIZE, BOOT_KEY_SETUP, g_bytes_new_from_bytes (kernel, 0, setup_len));
  boot_set_blob (machine->fw_cfg, BOOT_KEY_KERNEL_SIZE, BOOT_KEY_KERNEL,
                 g_bytes_new_from_bytes (kernel, setup_len, len - setup_len));
  if (files->len > 1)
    {
      data = boot_read (&g_array_index (files, BootFile, 1), &len, error);
      if (data == NULL)
        return FALSE;
      boot_set_blob (machine->fw_cfg, BOOT_KEY_INITRD_SIZE, BOOT_KEY_INITRD, g_bytes_new_take (data, len));
    }
  if (append == NULL)
    append = "";
  boot_set_blob (machine->fw_cfg, BOOT_KEY_CMDLINE_SIZE, BOOT_KEY_CMDLINE, g_bytes_new (append, strlen (append) + 1));
  return TRUE;
}

gboolean
vmm_boot_install (VmmMachine *machine, GError **error)
{
  g_autoptr (GArray) files = g_array_new (FALSE, FALSE, sizeof (BootFile));
  g_autoptr (GArray) modules = g_array_new (FALSE, FALSE, sizeof (VmmBootModule));
  g_autoptr (VmmBootPlan) plan = NULL;
  g_autofree guint8 *kernel = NULL;
  g_autofree char *name = NULL;
  guint64 low = vmm_memory_get_low_size (machine->memory);
  const char *append;
  VmmBootRequest request;
  const BootFile *first;

  if (machine->config == NULL || !vmm_config_has_kernel (machine->config))
    return TRUE;
  g_assert (machine->fw_cfg != NULL);
  if (g_str_equal (vmm_config_get_machine (machine->config, "firmware"), "uefi"))
    return boot_install_uefi (machine, error);
  g_array_set_clear_func (files, boot_file_clear);
  if (!boot_open_all (files, machine->config, error))
    return FALSE;
  first = &g_array_index (files, BootFile, 0);
  for (guint i = 1; i < files->len; i++)
    {
      const BootFile *file = &g_array_index (files, BootFile, i);
      VmmBootModule module = { .text = file->text, .size = file->size };

      g_array_append_val (modules, module);
    }

  append = vmm_config_get_kernel (machine->config, "append");
  name = g_path_get_basename (first->path);
  request = (VmmBootRequest) { .name = name,
                               .cmdline = append != NULL ? append : "",
                               .modules = (const VmmBootModule *) (gpointer) modules->data,
                               .n_modules = modules->len,
                               .memory_end = low > BOOT_FIRMWARE_RESERVE ? low - BOOT_FIRMWARE_RESERVE : 0 };
  kernel = boot_read (first, &request.kernel_len, error);
  if (kernel == NULL)
    return FALSE;
  request.kernel = kernel;
  plan = vmm_boot_plan_new (&request, error);
  if (plan == NULL)
    {
      g_prefix_error (error, "%s: ", first->path);
      return FALSE;
    }
  return boot_publish (machine->fw_cfg, plan, files, error);
}
