/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device is a struct and a const class. `regs` (plain guest-visible data, saved) stands apart from runtime handles (never saved).
 * A device is a monitor: the bus takes its lock before calling in; timers and completions take the same lock; devices do not call
 * each other, only interrupt lines and guest memory (a controller may call the devices behind it). */
#pragma once

#include "core/fields.h"
#include "core/types.h"

typedef enum {
  VMM_DEVICE_SYSTEM, /* fixed ports or addresses */
  VMM_DEVICE_PCI,    /* instance starts with VmmPciDevice */
  VMM_DEVICE_SATA,   /* a drive behind the AHCI controller */
  VMM_DEVICE_USB,    /* instance starts with VmmUsbDevice */
  VMM_DEVICE_IDE,    /* a drive behind the IDE controller */
} VmmDeviceBus;

typedef enum {
  VMM_RESET_COLD, /* power on: everything to its start value */
  VMM_RESET_WARM, /* reset line: what a battery or the chassis holds (CMOS) stays */
} VmmResetKind;

struct _VmmDeviceClass {
  const char *name;
  const char *summary;     /* translatable, N_() */
  const char *description; /* (nullable) translatable: a sentence for people: what it is good for. For those in machine.conf */
  VmmDeviceBus bus;
  gboolean user_creatable; /* may stand in machine.conf as class= */
  gsize instance_size;
  const VmmSetting *settings; /* (nullable) ended by key NULL */
  /* The saved state: where regs lie in the instance, and what is in them. */
  gsize regs_offset, regs_size;
  const VmmField *regs_fields; /* (nullable) ended by name NULL */
  guint state_version;

  /* Control thread, before any vCPU runs, without the lock. May fail; unrealize is then not called. */
  gboolean (*realize) (VmmDevice *dev, GError **error);
  /* Control thread, vCPUs parked, lock held, after quiesce. Must not block. Also called once after realize, with VMM_RESET_COLD. */
  void (*reset) (VmmDevice *dev, VmmResetKind kind);
  /* Control thread, vCPUs parked, without the lock: finish or stop what is in flight; no completion may come after. */
  void (*quiesce) (VmmDevice *dev);
  /* Control thread, after quiesce, without the lock: go on. */
  void (*resume) (VmmDevice *dev);
  /* Control thread, vCPUs gone, without the lock. Frees what realize made. */
  void (*unrealize) (VmmDevice *dev);
  /* Control thread: regs were replaced by a saved state: rebuild handles and mappings. */
  gboolean (*post_load) (VmmDevice *dev, GError **error);
  /* (nullable) Control thread, without the lock: insert (path) or eject (NULL) a medium. */
  gboolean (*change_medium) (VmmDevice *dev, const char *path, gboolean force, GError **error);
};

struct _VmmDevice {
  const VmmDeviceClass *class;
  VmmMachine *machine; /* (not owned) */
  char *id;            /* "disk0": unique in the machine */
  GMutex lock;
  GHashTable *settings; /* key -> value as text; defaults are filled in */
  guint guest_errors;   /* counted by vmm_guest_error() */
  gint64 guest_error_window_us;
};

/* The parts of the machine that a device may reach. */
VmmMemory *vmm_device_get_memory (VmmDevice *dev);
VmmBus *vmm_device_get_bus (VmmDevice *dev);
VmmIrq *vmm_device_get_irq (VmmDevice *dev);
VmmClock *vmm_device_get_clock (VmmDevice *dev);
VmmIoThread *vmm_device_get_iothread (VmmDevice *dev);
VmmPciBus *vmm_device_get_pci_bus (VmmDevice *dev);
VmmFwCfg *vmm_device_get_fw_cfg (VmmDevice *dev); /* (nullable) */
/* (nullable): another device by id, or the first of a class; for wiring in realize only. */
VmmDevice *vmm_device_find (VmmDevice *dev, const char *id);
VmmDevice *vmm_device_find_class (VmmDevice *dev, const char *class_name);

/* Settings; the value was validated, so these cannot fail. */
const char *vmm_device_get_string (VmmDevice *dev, const char *key); /* (nullable) */
char *vmm_device_dup_path (VmmDevice *dev, const char *key);         /* (nullable) absolute */
char *vmm_device_resolve_path (VmmDevice *dev, const char *value);   /* (nullable) the same for a part of a value */
gint64 vmm_device_get_int (VmmDevice *dev, const char *key);
gboolean vmm_device_get_bool (VmmDevice *dev, const char *key);
/* The setting "serial" in printable ASCII, or a number made of the machine's and the device's name. At most @max characters. */
char *vmm_device_dup_serial (VmmDevice *dev, guint max);

static inline void
vmm_device_lock (VmmDevice *dev)
{
  g_mutex_lock (&dev->lock);
}

static inline void
vmm_device_unlock (VmmDevice *dev)
{
  g_mutex_unlock (&dev->lock);
}

/**
 * vmm_guest_error:
 * The guest misbehaved: counted, logged at a limited rate (10 a second a device), never fatal. Lock held.
 */
void vmm_guest_error (VmmDevice *dev, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* What a device may ask of its machine. Any thread, any lock; carried out later on the control thread. */
void vmm_machine_request_reset (VmmMachine *machine);                                        /* the guest pulls its reset line */
void vmm_machine_request_power_off (VmmMachine *machine);                                    /* the guest powers off (S5) */
void vmm_machine_request_pause (VmmMachine *machine, VmmReason reason, const char *message); /* host disk full or failing */
void vmm_machine_request_exit (VmmMachine *machine, int code);                               /* test builds: port F4 */
void vmm_machine_notify_usb (VmmMachine *machine, const char *id, gboolean present);         /* a device of the host came or left */
void vmm_machine_notify_medium (VmmMachine *machine, VmmDevice *dev, const char *path);      /* the guest ejected (NULL) */

extern const VmmDeviceClass *const vmm_device_classes[]; /* core/registry.c; NULL-terminated */
const VmmDeviceClass *vmm_device_class_find (const char *name);

/**
 * vmm_device_new:
 * @id: (transfer none); @settings: (nullable): key -> value; missing keys take their defaults
 * Makes and realizes a device and adds it to the machine (reset comes when the machine starts). Control thread.
 */
VmmDevice *vmm_device_new (VmmMachine *machine, const VmmDeviceClass *class, const char *id, GHashTable *settings, GError **error);
