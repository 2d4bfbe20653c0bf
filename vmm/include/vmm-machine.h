/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A virtual machine. Requests return at once and are carried out on the machine's control thread; what became of them is told
 * by the events, which also run on the control thread. */
#pragma once

#include "vmm-config.h"
#include "vmm-console.h"
#include "vmm-error.h"

G_BEGIN_DECLS

typedef struct _VmmMachine VmmMachine;

typedef enum {
  VMM_MACHINE_OFF, /* made, not started, or powered off */
  VMM_MACHINE_RUNNING,
  VMM_MACHINE_PAUSED,
  VMM_MACHINE_FAILED, /* stopped by a fault; see the message */
} VmmMachineState;

typedef enum {
  VMM_REASON_NONE,
  VMM_REASON_REQUEST,  /* somebody asked */
  VMM_REASON_GUEST,    /* the guest powered itself off */
  VMM_REASON_NO_SPACE, /* PAUSED: the host's disk is full; resume tries again */
  VMM_REASON_IO_ERROR, /* PAUSED: the host's disk failed; resume tries again */
  VMM_REASON_FAULT,    /* FAILED: the host's KVM or the guest's processor cannot go on */
  VMM_REASON_PANIC,    /* PAUSED: the guest's system crashed */
  VMM_REASON_WATCHDOG, /* PAUSED: the guest did not answer its watchdog */
} VmmReason;

typedef struct {
  /* Control thread. @message: (nullable): technical text, for VMM_REASON_FAULT, _NO_SPACE, _IO_ERROR, _PANIC, _WATCHDOG. */
  void (*state_changed) (VmmMachine *machine, VmmMachineState state, VmmReason reason, const char *message, gpointer data);
  /* Control thread. A medium was inserted or ejected, by us or by the guest. @path: (nullable) */
  void (*medium_changed) (VmmMachine *machine, const char *device_id, const char *path, gpointer data);
  /* Control thread. The guest was reset, by us or by itself. */
  void (*was_reset) (VmmMachine *machine, gpointer data);
  /* Control thread. A device of the host came to the guest or left it (vmm-usb.h). @id: the machine's device of class "usb-host" */
  void (*usb_changed) (VmmMachine *machine, const char *id, gboolean present, gpointer data);
} VmmMachineEvents;

/**
 * VmmDone:
 * @error: (nullable): NULL if it worked
 * Runs on the control thread.
 */
typedef void (*VmmDone) (VmmMachine *machine, const GError *error, gpointer data);

/**
 * vmm_init:
 * Once per process, before any other call: installs the empty handler of the signal that kicks vCPUs. Thread: main.
 */
void vmm_init (void);

/**
 * vmm_machine_new:
 * @log_dir: (nullable): directory for serial and debug-console output; made if missing
 * Makes the machine: memory, devices, images opened and locked. Does not start it. Blocks on files; not for the main thread.
 * Errors: any VMM_ERROR; the message names file or group.
 */
VmmMachine *vmm_machine_new (VmmConfig *config, const char *log_dir, const VmmMachineEvents *events, gpointer data, GError **error);

/**
 * vmm_machine_free:
 * Stops the machine at once, waits for its threads, closes its images. Blocks briefly. Not from an event.
 */
void vmm_machine_free (VmmMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmmMachine, vmm_machine_free)

VmmMachineState vmm_machine_get_state (VmmMachine *machine); /* Thread: any */

/* Requests; any thread; a request that makes no sense in the present state is ignored. */
void vmm_machine_start (VmmMachine *machine);        /* OFF -> RUNNING */
void vmm_machine_pause (VmmMachine *machine);        /* RUNNING -> PAUSED */
void vmm_machine_resume (VmmMachine *machine);       /* PAUSED -> RUNNING */
void vmm_machine_power_button (VmmMachine *machine); /* ACPI power button; the guest decides */
void vmm_machine_reset (VmmMachine *machine);        /* hard reset */
void vmm_machine_stop (VmmMachine *machine);         /* pull the power: -> OFF */

/**
 * vmm_machine_change_medium:
 * @path: (nullable): image to insert, or NULL to eject
 * Errors: VMM_ERROR_NOT_FOUND no such device; VMM_ERROR_BUSY the guest has locked the tray and @force is FALSE; image errors.
 */
void vmm_machine_change_medium (VmmMachine *machine, const char *device_id, const char *path, gboolean force, VmmDone done,
                                gpointer data);

/* (transfer none) (nullable): picture number @index. Thread: any. */
VmmConsole *vmm_machine_get_console (VmmMachine *machine, guint index);

/**
 * vmm_machine_key:
 * @code: Linux input event code (KEY_A …), that is, the X11 keycode minus 8
 * Thread: any; never blocks.
 */
void vmm_machine_key (VmmMachine *machine, guint code, gboolean down);
void vmm_machine_pointer_motion (VmmMachine *machine, int dx, int dy);            /* relative, in guest pixels; down is positive */
void vmm_machine_pointer_button (VmmMachine *machine, guint code, gboolean down); /* BTN_LEFT, BTN_RIGHT, BTN_MIDDLE … */
void vmm_machine_pointer_wheel (VmmMachine *machine, int dy);                     /* notches; down is positive */
/* x, y in 0…32767 over the picture. FALSE: no absolute pointer in this machine (use motion and grab). */
gboolean vmm_machine_pointer_position (VmmMachine *machine, int x, int y);
gboolean vmm_machine_has_absolute_pointer (VmmMachine *machine);

/**
 * vmm_machine_touch:
 * @slot: which finger, from 0; beyond what the device has: ignored
 * @x: @y: 0…32767 over the picture
 * Thread: any; never blocks.
 * Returns: FALSE if this machine has no touch screen that a driver in the guest uses.
 */
gboolean vmm_machine_touch (VmmMachine *machine, guint slot, VmmTouch touch, int x, int y);

/**
 * vmm_machine_attach_serial:
 * @device_id: "serial0" …
 * @fd: (transfer full): stream socket or tty; what the guest writes goes to it, what comes from it the guest reads. Output that
 *   it does not take is dropped, the guest never waits for it. Closed when the peer closes.
 * @replay: first send the last 64 KiB of output
 */
gboolean vmm_machine_attach_serial (VmmMachine *machine, const char *device_id, int fd, gboolean replay, GError **error);

/**
 * vmm_machine_set_balloon:
 * @guest_bytes: memory that the guest shall keep; 0: all of it
 * Asks the guest's balloon driver; it gives up what it can, when it can.
 * Thread: any.
 * Errors: VMM_ERROR_NOT_FOUND: the machine has no virtio-balloon.
 */
gboolean vmm_machine_set_balloon (VmmMachine *machine, guint64 guest_bytes, GError **error);

/* What the guest told last; 0 where it told nothing. */
typedef struct {
  guint64 inflated_bytes; /* given up */
  guint64 total_bytes, free_bytes, available_bytes;
} VmmBalloonInfo;

/**
 * vmm_machine_get_balloon:
 * Reads what the guest told last about its memory, and asks it for newer numbers, which the next call sees.
 * Thread: any.
 * Errors: VMM_ERROR_NOT_FOUND: the machine has no virtio-balloon.
 */
gboolean vmm_machine_get_balloon (VmmMachine *machine, VmmBalloonInfo *ret_info, GError **error);

G_END_DECLS
