/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Forward declarations: headers include almost nothing. */
#pragma once

#include "vmm.h"

typedef struct _VmmDevice VmmDevice;
typedef struct _VmmDeviceClass VmmDeviceClass;
typedef struct _VmmBus VmmBus;
typedef struct _VmmRegion VmmRegion;
typedef struct _VmmMemory VmmMemory;
typedef struct _VmmRam VmmRam;
typedef struct _VmmSlot VmmSlot;
typedef struct _VmmIrq VmmIrq;
typedef struct _VmmIrqPin VmmIrqPin;
typedef struct _VmmMsiRoute VmmMsiRoute;
typedef struct _VmmClock VmmClock;
typedef struct _VmmTimer VmmTimer;
typedef struct _VmmIoThread VmmIoThread;
typedef struct _VmmChannel VmmChannel;
typedef struct _VmmKvm VmmKvm;
typedef struct _VmmVcpu VmmVcpu;
typedef struct _VmmField VmmField;
typedef struct _VmmPciBus VmmPciBus;
typedef struct _VmmPciDevice VmmPciDevice;
typedef struct _VmmFwCfg VmmFwCfg;
typedef struct _VmmNet VmmNet;
typedef struct _VmmBlock VmmBlock;
typedef struct _VmmBlockRequest VmmBlockRequest;
