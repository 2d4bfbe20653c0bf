/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The machine's inside: who owns what. Devices use core/device.h; only core/, x86/board-q35 and test boards look in here. */
#pragma once

#include "core/device.h"

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
  VmmFwCfg *fw_cfg;      /* (nullable) (not owned) set by the fw_cfg device's realize */
  GPtrArray *devices;    /* (element-type VmmDevice) (owned) in the order they were made */
  GPtrArray *consoles;   /* (element-type VmmConsole) (not owned) */
  GPtrArray *channels;   /* (element-type VmmChannel) (not owned) */
  GPtrArray *blocks;     /* (element-type VmmBlock) (not owned) open disks that may stall */
  struct _VmmInputHub *input;
  VmmVcpu **vcpus;
  guint n_vcpus;
  guint64 ram_bytes;
  VmmControl *control;   /* lifecycle; see core/machine.c */
  VmmMachineEvents events;
  gpointer events_data;
  int state; /* (atomic) VmmMachineState */
};

/**
 * vmm_machine_new_bare:
 * A machine without KVM, vCPUs and board: memory, bus, interrupt recorder, a clock that stands still. For device tests and fuzzing.
 */
VmmMachine *vmm_machine_new_bare (guint64 ram_bytes, guint n_vcpus, GError **error);
