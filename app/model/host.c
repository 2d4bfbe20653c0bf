/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What this host can do, and what to do about what it can't. The engine is asked in app/engine/host-probe.c. */
#include "model/host.h"

#include "engine/host-probe.h"

#include <glib/gi18n.h>
#include <unistd.h>

struct _LodgeHost {
  GObject parent_instance;
  LodgeHostFacts facts;
  LodgeKvmStatus kvm;
};

enum { PROP_0, PROP_KVM, PROP_TITLE, PROP_REMEDY, PROP_COMMAND, N_PROPS };
static GParamSpec *lhos_props[N_PROPS];

G_DEFINE_FINAL_TYPE (LodgeHost, lodge_host, G_TYPE_OBJECT)

G_DEFINE_ENUM_TYPE (LodgeKvmStatus, lodge_kvm_status, G_DEFINE_ENUM_VALUE (LODGE_KVM_UNKNOWN, "unknown"),
                    G_DEFINE_ENUM_VALUE (LODGE_KVM_OK, "ok"), G_DEFINE_ENUM_VALUE (LODGE_KVM_MISSING, "missing"),
                    G_DEFINE_ENUM_VALUE (LODGE_KVM_NO_CPU, "no-cpu"), G_DEFINE_ENUM_VALUE (LODGE_KVM_FORBIDDEN, "forbidden"),
                    G_DEFINE_ENUM_VALUE (LODGE_KVM_UNUSABLE, "unusable"))

LodgeHost *
lodge_host_get_default (void)
{
  static LodgeHost *host; /* main thread only */

  if (host == NULL)
    host = g_object_new (LODGE_TYPE_HOST, NULL);
  return host;
}

static void
lhos_probe_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_task_return_pointer (task, lodge_host_facts_new (), (GDestroyNotify) lodge_host_facts_free);
}

void
lodge_host_refresh_async (LodgeHost *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, lodge_host_refresh_async);
  g_task_run_in_thread (task, lhos_probe_thread);
}

gboolean
lodge_host_refresh_finish (LodgeHost *self, GAsyncResult *result, GError **error)
{
  LodgeHostFacts *facts;
  LodgeKvmStatus before = self->kvm;

  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  facts = g_task_propagate_pointer (G_TASK (result), error);
  if (facts == NULL)
    return FALSE;
  lodge_host_facts_clear (&self->facts);
  self->facts = *facts;
  g_free (facts);
  self->kvm = self->facts.kvm;
  if (before != self->kvm)
    for (guint i = PROP_KVM; i < N_PROPS; i++)
      g_object_notify_by_pspec (G_OBJECT (self), lhos_props[i]);
  return TRUE;
}

LodgeKvmStatus
lodge_host_get_kvm (LodgeHost *self)
{
  return self->kvm;
}

const char *
lodge_host_get_title (LodgeHost *self)
{
  switch (self->kvm)
    {
    case LODGE_KVM_MISSING:
      return _ ("Virtualization is not switched on in this system");
    case LODGE_KVM_NO_CPU:
      return _ ("This computer's processor does not offer virtualization");
    case LODGE_KVM_FORBIDDEN:
      return _ ("You may not use virtualization on this computer");
    case LODGE_KVM_UNUSABLE:
      return _ ("This computer's virtualization cannot be used");
    case LODGE_KVM_UNKNOWN:
    case LODGE_KVM_OK:
    default:
      return NULL;
    }
}

const char *
lodge_host_get_remedy (LodgeHost *self)
{
  switch (self->kvm)
    {
    case LODGE_KVM_MISSING:
      return _ (
          "The kernel's KVM module is not loaded. Load it with the command below. If that fails, look whether your distribution's "
          "kernel comes with KVM.");
    case LODGE_KVM_NO_CPU:
      return _ ("On most computers it only has to be switched on: restart, open the firmware's setup, and look for “Intel VT-x”, "
                "“AMD-V” or “SVM”. Inside a virtual machine, its host has to pass virtualization on.");
    case LODGE_KVM_FORBIDDEN:
      return _ ("Your user may not open /dev/kvm. Join the group that may with the command below, then log out and in again.");
    case LODGE_KVM_UNUSABLE:
      return _ ("/dev/kvm is there, but does not do what Lodge needs. A newer kernel may help.");
    case LODGE_KVM_UNKNOWN:
    case LODGE_KVM_OK:
    default:
      return NULL;
    }
}

const char *
lodge_host_get_command (LodgeHost *self)
{
  if (self->kvm == LODGE_KVM_FORBIDDEN)
    return "sudo usermod --append --groups kvm \"$USER\"";
  if (self->kvm == LODGE_KVM_MISSING)
    return self->facts.is_amd ? "sudo modprobe kvm-amd" : "sudo modprobe kvm-intel";
  return NULL;
}

const char *
lodge_host_get_detail (LodgeHost *self)
{
  return self->facts.detail;
}

guint
lodge_host_get_cpus (LodgeHost *self)
{
  return self->facts.cpus > 0 ? self->facts.cpus : MAX (1, g_get_num_processors ());
}

guint
lodge_host_get_max_cpus (LodgeHost *self)
{
  return self->facts.max_cpus > 0 ? self->facts.max_cpus : 64;
}

guint64
lodge_host_get_memory_bytes (LodgeHost *self)
{
  return self->facts.memory_bytes > 0 ? self->facts.memory_bytes
                                      : (guint64) sysconf (_SC_PHYS_PAGES) * (guint64) sysconf (_SC_PAGESIZE);
}

guint64
lodge_host_get_available_bytes (LodgeHost *self)
{
  return self->facts.available_bytes;
}

const char *
lodge_host_get_cpu_model (LodgeHost *self)
{
  return self->facts.cpu_model != NULL ? self->facts.cpu_model : "";
}

const char *
lodge_host_get_bios_path (LodgeHost *self)
{
  return self->facts.bios_path;
}

const char *
lodge_host_get_vgabios_path (LodgeHost *self)
{
  return self->facts.vgabios_path;
}

const char *
lodge_host_get_uefi_path (LodgeHost *self)
{
  return self->facts.uefi_path;
}

const char *
lodge_host_get_swtpm_path (LodgeHost *self)
{
  return self->facts.swtpm_path;
}

gboolean
lodge_host_has_feature (LodgeHost *self, const char *feature)
{
  return self->facts.features != NULL && g_strv_contains ((const char *const *) self->facts.features, feature);
}

static void
lhos_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeHost *self = LODGE_HOST (object);

  switch (id)
    {
    case PROP_KVM:
      g_value_set_enum (value, (int) self->kvm);
      break;
    case PROP_TITLE:
      g_value_set_string (value, lodge_host_get_title (self));
      break;
    case PROP_REMEDY:
      g_value_set_string (value, lodge_host_get_remedy (self));
      break;
    case PROP_COMMAND:
      g_value_set_string (value, lodge_host_get_command (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
lhos_finalize (GObject *object)
{
  lodge_host_facts_clear (&LODGE_HOST (object)->facts);
  G_OBJECT_CLASS (lodge_host_parent_class)->finalize (object);
}

static void
lodge_host_class_init (LodgeHostClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = lhos_get_property;
  object_class->finalize = lhos_finalize;
  lhos_props[PROP_KVM] = g_param_spec_enum ("kvm", NULL, NULL, LODGE_TYPE_KVM_STATUS, LODGE_KVM_UNKNOWN, flags);
  lhos_props[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, flags);
  lhos_props[PROP_REMEDY] = g_param_spec_string ("remedy", NULL, NULL, NULL, flags);
  lhos_props[PROP_COMMAND] = g_param_spec_string ("command", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_PROPS, lhos_props);
}

static void
lodge_host_init (LodgeHost *self)
{
}
