/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the engine and the ROM agree on. All numbers are little-endian. Both sides include this. */
#pragma once

#define ROM_PLAN_FILE "etc/lodge/boot-plan"
#define ROM_PIECE_FILE "etc/lodge/boot-piece-" /* and two decimal digits */
#define ROM_PLAN_MAGIC 0x4c504c42              /* "BLPL" */
#define ROM_MAX_PIECES 64

/* Where things are below 1 MiB. The ROM's own: stack below 7C00, code from 8000, work area from 80000. */
#define ROM_LOAD_LOW 0x10000     /* pieces may lie from here … */
#define ROM_LOAD_LOW_END 0x80000 /* … to here, and from 1 MiB */
#define ROM_WORK 0x80000         /* fw_cfg's directory, the plan */
#define ROM_WORK_END 0x90000
#define ROM_INFO 0x90000 /* what a Multiboot or PVH kernel is told; the memory map follows it */
#define ROM_INFO_END 0x9f000
#define ROM_INFO_MAX 0xa000

/* Linux: setup code, its heap and stack, and the command line. */
#define ROM_LINUX_SEGMENT 0x1000
#define ROM_LINUX_SETUP 0x10000
#define ROM_LINUX_STACK 0xe000 /* in the segment */
#define ROM_LINUX_CMDLINE 0x20000

#define ROM_MAX_E820 128

#ifndef __ASSEMBLER__
enum { ROM_KIND_LINUX = 1, ROM_KIND_MULTIBOOT = 2, ROM_KIND_PVH = 3 };

typedef struct {
  unsigned int address; /* guest physical */
  unsigned int length;  /* beyond the file: zeros */
} RomPiece;

typedef struct {
  unsigned int magic;
  unsigned int kind;
  unsigned int entry;
  unsigned int info_length; /* bytes of the piece at ROM_INFO */
  unsigned int n_pieces;
  unsigned int reserved;
  RomPiece pieces[ROM_MAX_PIECES];
} RomPlan;
#endif
