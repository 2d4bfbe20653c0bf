/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The console of a machine that runs in this process. */
#pragma once

#include "model/console.h"

G_BEGIN_DECLS

struct _VmmMachine;

#define LODGE_TYPE_ENGINE_CONSOLE (lodge_engine_console_get_type ())
G_DECLARE_FINAL_TYPE (LodgeEngineConsole, lodge_engine_console, LODGE, ENGINE_CONSOLE, LodgeConsole)

/** lodge_engine_console_new: @vm: must outlive the console or lodge_engine_console_close(); @head: which of its pictures */
LodgeEngineConsole *lodge_engine_console_new (struct _VmmMachine *vm, guint head);

/** lodge_engine_console_close: Lets go of the machine; emits "closed". The last picture stays readable. */
void lodge_engine_console_close (LodgeEngineConsole *self);

G_END_DECLS
