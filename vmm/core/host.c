/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "vmm-host.h"

#include "core/kvm.h"
#include "firmware/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The value of @key in a file of "key : value" lines. (transfer full) (nullable) */
static char *
host_read_field (const char *path, const char *key)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      const char *colon = strchr (lines[i], ':');
      g_autofree char *name = colon != NULL ? g_strstrip (g_strndup (lines[i], (gsize) (colon - lines[i]))) : NULL;

      if (g_strcmp0 (name, key) == 0)
        return g_strstrip (g_strdup (colon + 1));
    }
  return NULL;
}

static guint64
host_read_kib (const char *key)
{
  g_autofree char *value = host_read_field ("/proc/meminfo", key);

  return value != NULL ? g_ascii_strtoull (value, NULL, 10) * 1024 : 0;
}

static gboolean
host_cpu_can_virtualize (void)
{
  g_autofree char *flags = host_read_field ("/proc/cpuinfo", "flags");
  g_auto (GStrv) words = g_strsplit (flags != NULL ? flags : "", " ", -1);

  return g_strv_contains ((const char *const *) words, "vmx") || g_strv_contains ((const char *const *) words, "svm");
}

static gboolean
host_has_io_uring (void)
{
  struct io_uring ring;

  if (io_uring_queue_init (2, &ring, 0) < 0)
    return FALSE;
  io_uring_queue_exit (&ring);
  return TRUE;
}

static char *
host_find_uefi (void)
{
  g_autoptr (VmmFirmwareUefi) uefi = vmm_firmware_find_uefi (0, NULL);

  return uefi != NULL ? g_steal_pointer (&uefi->code) : NULL;
}

static gboolean
host_kvm_has (int fd, int capability)
{
  return ioctl (fd, KVM_CHECK_EXTENSION, capability) > 0;
}

static void
host_ask_kvm (VmmHostInfo *info)
{
  g_autoptr (GError) error = NULL;
  int probe = open ("/dev/kvm", O_RDWR | O_CLOEXEC);
  int open_errno = probe < 0 ? errno : 0;
  int fd;

  if (probe >= 0)
    close (probe);
  fd = vmm_kvm_open_device (&error);

  if (fd >= 0)
    {
      info->kvm = VMM_KVM_OK;
      info->max_vcpus = (guint) MAX (ioctl (fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS), 1);
      info->irqfd = host_kvm_has (fd, KVM_CAP_IRQFD);
      info->ioeventfd = host_kvm_has (fd, KVM_CAP_IOEVENTFD);
      info->smm = host_kvm_has (fd, KVM_CAP_X86_SMM);
      close (fd);
      return;
    }

  info->kvm_message = g_strdup (error->message);
  if (g_error_matches (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED))
    info->kvm = VMM_KVM_UNUSABLE;
  else if (open_errno == EACCES || open_errno == EPERM)
    info->kvm = VMM_KVM_FORBIDDEN;
  else if (open_errno == ENOENT || open_errno == ENODEV || open_errno == ENXIO)
    info->kvm = host_cpu_can_virtualize () ? VMM_KVM_MISSING : VMM_KVM_NO_CPU;
  else
    info->kvm = VMM_KVM_UNUSABLE;
}

VmmHostInfo *
vmm_host_info_new (void)
{
  VmmHostInfo *info = g_new0 (VmmHostInfo, 1);

  host_ask_kvm (info);
  info->host_cpus = g_get_num_processors ();
  info->memory_bytes = host_read_kib ("MemTotal");
  info->available_bytes = host_read_kib ("MemAvailable");
  info->io_uring = host_has_io_uring ();
  info->cpu_model = host_read_field ("/proc/cpuinfo", "model name");
  info->bios_path = vmm_firmware_find_bios (NULL);
  info->uefi_path = host_find_uefi ();
  info->swtpm_path = g_find_program_in_path ("swtpm");
  info->vgabios_path = vmm_firmware_find_rom ("vgabios-stdvga.bin", NULL);
  return info;
}

void
vmm_host_info_free (VmmHostInfo *info)
{
  g_free (info->kvm_message);
  g_free (info->cpu_model);
  g_free (info->bios_path);
  g_free (info->uefi_path);
  g_free (info->swtpm_path);
  g_free (info->vgabios_path);
  g_free (info);
}
