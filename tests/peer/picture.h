/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures for comparison: ours by a viewer's pulls, QEMU's from its screen dumps. */
#pragma once

#include <vmm.h>

typedef struct {
  int width, height;
  guint8 *rgb;
} Picture;

void picture_clear (Picture *picture);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Picture, picture_clear)
void picture_copy (Picture *ret_copy, const Picture *picture);
/* A file that QEMU wrote; fails the test if it is not a portable pixmap. */
void picture_read (Picture *ret_picture, const char *path);
void picture_write (const Picture *picture, const char *name); /* into a directory for temporary files; says where */
/* Fails the test if they differ; @tolerance: of each colour. */
void picture_assert_equal (const Picture *ours, const Picture *theirs, int tolerance);

/* What a window does: keeps a picture of its own and takes over what is said to have changed. */
typedef struct {
  VmmViewer *viewer;
  Picture picture;
  guint frames, rects;
} Mirror;

void mirror_pull (Mirror *mirror);

/* A machine with a VGA, its log in @dir. @rom: (nullable): instead of the BIOS; @cd: (nullable) */
VmmMachine *peer_machine_new (const char *dir, const char *rom, const char *cd);
/* QEMU with the same; commands of its monitor go to @ret_monitor, the debug console to qemu.log in @dir. */
GPid peer_qemu_start (const char *dir, const char *rom, const char *cd, int *ret_monitor);
void peer_qemu_command (int monitor, const char *command);
void peer_qemu_end (GPid pid, int monitor);
/* Occurrences of @mark in a log. */
guint peer_count_marks (const char *path, const char *mark);
/* Waits until there are @n; FALSE after two minutes. */
gboolean peer_wait_for_marks (const char *path, const char *mark, guint n);

char *peer_dir_new (void);
void peer_dir_remove (const char *path);
/* Says why and returns TRUE if this host cannot run these tests. */
gboolean peer_skip (void);

/* Differences that are QEMU's: it makes A8 of two thirds in a DAC of six bits, exact is AA; it does not fill the low bits of 15- and 16-bit
 * colours. */
#define PEER_SIX_BITS 3
#define PEER_HIGH_COLOUR 7

#define PEER_WAIT_US (120 * G_USEC_PER_SEC)
#define PEER_PULL_US 8000
#define PEER_SETTLE_US (G_USEC_PER_SEC / 5) /* the firmware's last letters reach its log before the screen */
