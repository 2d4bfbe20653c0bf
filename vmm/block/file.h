/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One file or block device under an image: opened, checked, locked; synchronous access for the slow paths. */
#pragma once

#include "core/types.h"

#include <sys/uio.h>

typedef struct _VmmFile VmmFile;

typedef enum {
  VMM_IO_READ,
  VMM_IO_WRITE,
  VMM_IO_SYNC, /* fdatasync */
  VMM_IO_FALLOCATE,
} VmmIoKind;

typedef enum {
  VMM_FILE_READ_ONLY = 0,
  VMM_FILE_WRITABLE = 1 << 0,
  VMM_FILE_DIRECT = 1 << 1,
} VmmFileFlags;

/**
 * VmmFileHooks:
 * For tests: sees every operation on a file and may make it fail. Thread: the one that does the operation; several at once.
 */
typedef struct {
  /* 0, or -errno that the operation fails with instead of being done. @ret_cookie comes back in @end. */
  int (*begin) (gpointer data, VmmIoKind kind, guint64 offset, guint64 len, const struct iovec *iov, guint n_iov,
                gpointer *ret_cookie);
  void (*end) (gpointer data, gpointer cookie, int result); /* 0 or -errno */
} VmmFileHooks;

struct _VmmFile {
  char *path;
  int fd;        /* through the page cache; holds the locks */
  int direct_fd; /* O_DIRECT, or -1 */
  gboolean writable;
  gboolean is_device;
  guint64 dev, ino;
  guint direct_align;     /* of offset and length, bytes */
  guint direct_mem_align; /* of memory, bytes */
  const VmmFileHooks *hooks;
  gpointer hooks_data;
};

/**
 * vmm_file_open:
 * Regular files and block devices only. Direct access is left out silently where the file system has none.
 * Errors: VMM_ERROR_NOT_FOUND, VMM_ERROR_HOST; both name the file.
 */
VmmFile *vmm_file_open (const char *path, VmmFileFlags flags, GError **error);
void vmm_file_free (VmmFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmmFile, vmm_file_free)

/* Only through the page cache from now on. Nothing in flight. */
void vmm_file_drop_direct (VmmFile *file);

/**
 * vmm_file_lock:
 * @exclusive: we write: nobody else may have it open; else nobody may write
 * Locks for as long as the file is open, by the byte ranges that QEMU uses, so that its tools and ours refuse each other.
 * Errors: VMM_ERROR_BUSY naming the file.
 * Spec: QEMU block/file-posix.c, RAW_LOCK_PERM_BASE and RAW_LOCK_SHARED_BASE; block permissions of include/block/block-common.h
 */
gboolean vmm_file_lock (VmmFile *file, gboolean exclusive, GError **error);

/** vmm_file_get_size: Returns: bytes, or -errno. */
gint64 vmm_file_get_size (VmmFile *file);

/* All block; all return 0 or -errno and do the whole length. Thread: any. */
int vmm_file_read (VmmFile *file, guint64 offset, gpointer buf, gsize len); /* zeros behind the end */
int vmm_file_write (VmmFile *file, guint64 offset, gconstpointer buf, gsize len);
int vmm_file_write_zeroes (VmmFile *file, guint64 offset, guint64 len); /* as data */
int vmm_file_sync (VmmFile *file);
int vmm_file_fallocate (VmmFile *file, int mode, guint64 offset, guint64 len);

/* Sets @error to VMM_ERROR_NO_SPACE, _NOT_FOUND or _HOST according to @err (positive errno): "path: what: strerror". */
void vmm_file_set_error (GError **error, const char *path, const char *what, int err);

/* A block of zeros that nobody writes. */
#define VMM_ZEROES_SIZE 65536
extern const guint8 vmm_zeroes[VMM_ZEROES_SIZE];
