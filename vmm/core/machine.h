/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The machine's inside: who owns what. Devices use core/device.h; only core/, x86/board-q35 and test boards look in here. */
#pragma once

#include "core/device.h"
#include "core/iothread.h"

typedef struct _VmmControl VmmControl;

struct _VmmMachine {
  VmmConfig *config; /* (nullable): test boards have none */
  char *log_dir;     /* (nullable) */
  VmmKvm *kvm;       /* (nullable): test boards run without */
  VmmMemory *memory;
  VmmBus *bus;
  VmmIrq *irq;
  VmmClock *clock;
  VmmIoThread *iothread;
  VmmPciBus *pci_bus;
  VmmFwCfg *fw_cfg;    /* (nullable) (not owned) set by the fw_cfg device's realize */
  GPtrArray *devices;  /* (element-type VmmDevice) (owned) in the order they were made */
  GPtrArray *consoles; /* (element-type VmmConsole) (not owned) */
  GPtrArray *channels; /* (element-type VmmChannel) (not owned) */
  GPtrArray *nets;     /* (element-type VmmNet) (not owned) */
  GPtrArray *blocks;   /* (element-type VmmBlock) (not owned) open disks that may stall */
  struct _VmmInputHub *input;
  GMutex usb_lock;         /* of what usb_loans tell; a leaf */
  GPtrArray *usb_loans;    /* (element-type VmmDevice) (not owned) of class usb-host */
  const void *usb_backend; /* (nullable) VmmUsbBackend instead of libusb */
  gpointer usb_backend_data;
  struct _VmmVcpus *vcpus; /* (nullable): none before the first start */
  guint n_vcpus;
  guint64 ram_bytes;
  gboolean stop_on_triple_fault;
  VmmControl *control; /* lifecycle; see core/machine.c */
  VmmMachineEvents events;
  gpointer events_data;
  int state; /* (atomic) VmmMachineState */
};

/**
 * vmm_machine_new_bare:
 * A machine without KVM, vCPUs and board: memory, bus, interrupt recorder, a clock that stands still. For device tests and fuzzing.
 */
VmmMachine *vmm_machine_new_bare (guint64 ram_bytes, guint n_vcpus, GError **error);

/* The processor or KVM cannot go on: parks, VMM_MACHINE_FAILED with @message. Any thread. */
void vmm_machine_report_fault (VmmMachine *machine, const char *message);

/* Reset of all devices: quiesce, reset, resume. vCPUs parked. For tests too. */
void vmm_machine_reset_devices (VmmMachine *machine, VmmResetKind kind);

/* (nullable) (transfer none): a device by id, or the first of a class. */
VmmDevice *vmm_machine_find_device (VmmMachine *machine, const char *id);
VmmDevice *vmm_machine_find_class (VmmMachine *machine, const char *class_name);

/* core/device.c: unrealizes and frees. */
void vmm_device_free (VmmDevice *dev);

/* core/input.c */
struct _VmmInputHub *vmm_input_hub_new (VmmIoThread *iothread);
void vmm_input_hub_free (struct _VmmInputHub *hub);

/* Runs @func on the control thread, soon, in order. Any thread. */
void vmm_machine_post (VmmMachine *machine, VmmCallFunc func, gpointer data);
/* @free_data: afterwards, or when the machine ends before. */
void vmm_machine_post_full (VmmMachine *machine, VmmCallFunc func, gpointer data, GDestroyNotify free_data);
