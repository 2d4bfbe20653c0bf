/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * qcow2 images, versions 2 and 3. Spec: QEMU docs/interop/qcow2.txt.
 *
 * Theory of operation
 *
 * Who runs where: the iothread maps requests through cached slices of L2 tables under q->lock, which is never held during I/O, and
 * does data I/O asynchronously at the host's offset. The worker does all that waits: loading and writing metadata, allocating,
 * copying, decoding. It starts data writes asynchronously as well; when one for new clusters is complete the iothread links
 * them, that is, changes the cached L2 entries.
 *
 * What is on the disk when: metadata lives in two caches, of L2 slices and of refcount slices. Refcounts may be written at any time,
 * because they are raised before anything points to a cluster and lowered only after the pointer is gone from the disk for sure.
 * New L2 tables are written whole when they are made, as zeros or as a copy. vmm_qcow2_flush() is the only one that writes L2 slices
 * and the L1 table, in this order: refcounts; sync (with it all linked data and new tables); L2 slices and L1 entries; sync; and only
 * then are the clusters that were let go given back. So whatever part of it survives a crash, no pointer leads to a cluster that is
 * free or holds something else; at most clusters leak.
 *
 * Letting go: a cluster that a table no longer points to may still be read or written by operations that started before. They are
 * counted in two epochs; vmm_qcow2_flush() turns the epoch and waits for the old one before it gives clusters back.
 */
#pragma once

#include "block/block-private.h"
#include "core/waiters.h"

#define QCOW2_COPIED (G_GUINT64_CONSTANT (1) << 63)     /* refcount is one: may be written in place */
#define QCOW2_COMPRESSED (G_GUINT64_CONSTANT (1) << 62) /* L2 entries */
#define QCOW2_ZERO G_GUINT64_CONSTANT (1)               /* L2 entries of 8 bytes, version 3 */
#define QCOW2_OFFSET_MASK G_GUINT64_CONSTANT (0x00fffffffffffe00)

#define QCOW2_INCOMPAT_DIRTY (1u << 0)
#define QCOW2_INCOMPAT_CORRUPT (1u << 1)
#define QCOW2_INCOMPAT_DATA_FILE (1u << 2)
#define QCOW2_INCOMPAT_COMPRESSION (1u << 3)
#define QCOW2_INCOMPAT_EXTENDED_L2 (1u << 4)

#define QCOW2_MIN_CLUSTER_BITS 9
#define QCOW2_MAX_CLUSTER_BITS 21
#define QCOW2_MAX_L1_BYTES (32u << 20)
#define QCOW2_MAX_REFTABLE_BYTES (8u << 20)
#define QCOW2_MAX_SNAPSHOTS 65536u
#define QCOW2_MAX_HOST_OFFSET (G_GUINT64_CONSTANT (1) << 56)

typedef struct {
  guint version;
  guint cluster_bits;
  guint64 size;
  guint64 backing_offset;
  guint32 backing_len;
  char *backing_name;   /* (nullable) */
  char *backing_format; /* (nullable) */
  guint32 l1_size;      /* entries */
  guint64 l1_offset;
  guint64 reftable_offset;
  guint32 reftable_clusters;
  guint32 n_snapshots;
  guint64 snapshots_offset;
  guint64 incompatible, compatible, autoclear;
  guint refcount_order;
  guint32 header_length;
  guint compression_type; /* 0 deflate, 1 zstd */
} VmmQcow2Header;

/* A part of a metadata table in memory, as it is on the disk. */
typedef struct {
  guint64 offset; /* in the file */
  guint8 *data;
  GList lru;
  guint pins;
  gboolean dirty;
} VmmQcow2Slice;

typedef struct {
  gsize slice_size;
  guint max_slices;
  gboolean ordered;   /* only vmm_qcow2_flush() writes it; else any time will do */
  GHashTable *slices; /* by offset */
  GQueue lru;         /* most recently used first */
} VmmQcow2Cache;

typedef struct _VmmQcow2 VmmQcow2;
typedef struct _VmmQcow2Write VmmQcow2Write;

typedef struct {
  VmmQcow2 *qcow2;
  guint n; /* operations on data clusters that started in it */
} VmmQcow2Epoch;

typedef struct {
  guint64 offset, len; /* in the file */
} VmmQcow2Range;

struct _VmmQcow2 {
  VmmNode node;
  VmmQcow2Header header;
  guint64 cluster_size;
  guint cluster_bits;
  guint l2_bits;         /* log2 of the entries of an L2 table */
  guint l2_entry_size;   /* 8, or 16 with subclusters */
  guint n_subclusters;   /* of a cluster: 1 or 32 */
  guint subcluster_bits; /* log2 of a subcluster's bytes */
  guint refblock_bits;   /* log2 of the refcounts of a refcount block */

  GMutex lock;
  /* Under the lock: */
  guint64 *l1;
  guint32 l1_dirty_first, l1_dirty_end;
  VmmQcow2Cache l2_cache;
  VmmQcow2Cache ref_cache;
  GHashTable *meta;         /* (nullable) cluster numbers + 1 that hold metadata; writable images */
  GArray *frees;            /* VmmQcow2Range: let go, to be given back */
  GPtrArray *writes;        /* VmmQcow2Write that will link clusters */
  VmmWaiters write_waiters; /* one less of them */
  gboolean dirty;           /* L2 or L1 in memory is newer than on the disk */
  gboolean flushing;        /* being written */
  gboolean broken;          /* found corrupt: no more writes */
  gboolean broken_told;     /* and the header says so */
  VmmQcow2Epoch epochs[2];
  guint epoch;
  VmmWaiters epoch_waiters;

  /* The worker's: */
  guint64 *reftable;
  guint32 reftable_size; /* entries */
  guint32 reftable_dirty_first, reftable_dirty_end;
  guint64 free_hint;    /* no free cluster below */
  guint64 untouched;    /* clusters from here on were never written and read as zeros */
  guint64 max_clusters; /* what a block device holds */
  struct {
    guint64 entry; /* 0: none */
    guint8 *data;
    guint age;
  } decoded[4];
  guint decoded_clock;
};

/* What an L2 entry says. Bit i of @alloc, @zero is subcluster i; images without subclusters use bit 0 only. */
typedef struct {
  guint64 raw;
  guint64 host; /* 0: none; not for compressed */
  guint32 alloc, zero;
  gboolean copied, compressed;
} VmmQcow2Entry;

typedef enum {
  VMM_QCOW2_UNALLOCATED, /* ask the backing file */
  VMM_QCOW2_IS_ZERO,
  VMM_QCOW2_IS_DATA,
  VMM_QCOW2_IS_COMPRESSED,
} VmmQcow2Kind;

static inline guint64
vmm_qcow2_l2_span (const VmmQcow2 *q)
{
  return G_GUINT64_CONSTANT (1) << (q->cluster_bits + q->l2_bits);
}

/* qcow2-header.c */

/**
 * vmm_qcow2_header_read:
 * Reads and checks a header. Clear with vmm_qcow2_header_clear().
 * Errors: VMM_ERROR_CORRUPT, _UNSUPPORTED (features are named), _HOST.
 */
gboolean vmm_qcow2_header_read (VmmFile *file, VmmQcow2Header *ret_header, GError **error);
void vmm_qcow2_header_clear (VmmQcow2Header *header);
/* (transfer full) (nullable): path of the backing file; relative ones start at the directory of @image_path.
 * Errors: VMM_ERROR_UNSUPPORTED for names that are no paths. */
char *vmm_qcow2_header_dup_backing_path (const VmmQcow2Header *header, const char *image_path, GError **error);
/* Writes an empty image to @fd, an empty file. Returns 0 or -errno. */
int vmm_qcow2_format (int fd, guint64 size, const char *backing_name, const char *backing_format);

/* qcow2.c */
VmmNode *vmm_qcow2_open (VmmBlock *block, VmmFile *file, const VmmNodeChain *chain, VmmFileFlags flags, GError **error);
/* The image contradicts itself: no more writes. Lock held or not. */
void vmm_qcow2_set_broken (VmmQcow2 *q, const char *what);
/* Writes the mark into the header, once. Worker. */
void vmm_qcow2_tell_broken (VmmQcow2 *q);
/* Everything in order to the disk. Worker, or control thread at the end. Returns 0 or -errno. */
int vmm_qcow2_flush (VmmQcow2 *q);

/* qcow2-cache.c */
void vmm_qcow2_cache_init (VmmQcow2Cache *cache, gsize slice_size, gsize budget, gboolean ordered);
void vmm_qcow2_cache_clear (VmmQcow2Cache *cache);
/* (nullable). Lock held. */
VmmQcow2Slice *vmm_qcow2_cache_peek (VmmQcow2Cache *cache, guint64 offset);
/* Pinned: vmm_qcow2_slice_unpin(). Worker, lock not held. */
int vmm_qcow2_cache_load (VmmQcow2 *q, VmmQcow2Cache *cache, guint64 offset, VmmQcow2Slice **ret_slice);
void vmm_qcow2_slice_unpin (VmmQcow2 *q, VmmQcow2Slice *slice);
/* What is cached of a cluster that begins a new life. Lock not held. */
void vmm_qcow2_cache_forget (VmmQcow2 *q, VmmQcow2Cache *cache, guint64 offset, guint64 len);
/* Writes all that is dirty, in no order. Worker, lock not held. */
int vmm_qcow2_cache_write (VmmQcow2 *q, VmmQcow2Cache *cache);

/* qcow2-refcount.c: worker, lock not held */

/* Up to @n_wanted clusters in a row, at least one. @ret_untouched (nullable): they read as zeros. */
int vmm_qcow2_alloc (VmmQcow2 *q, guint64 n_wanted, guint64 *ret_offset, guint64 *ret_n, gboolean *ret_untouched);
/* Lowers the refcounts of the clusters of the ranges, punches holes where nothing is left. */
int vmm_qcow2_give_back (VmmQcow2 *q, const GArray *ranges);
/* Sets the refcount of @cluster, which has a refcount block, to at least @value. */
int vmm_qcow2_raise_refcount (VmmQcow2 *q, guint64 cluster, guint64 value);
/* Writes refcounts and the refcount table; a sync must follow. */
int vmm_qcow2_write_refcounts (VmmQcow2 *q);

/* qcow2-check.c */

/* Counts all references and raises every refcount that is too low, for images with lazy refcounts that were not closed. Opening. */
gboolean vmm_qcow2_rebuild_refcounts (VmmQcow2 *q, GError **error);
/* An entry of the snapshot table at *@at of the file, which moves to the next. Returns 0 or -errno; -EUCLEAN: it is bad. */
int vmm_qcow2_next_snapshot (VmmQcow2 *q, guint64 *at, guint64 *ret_l1_offset, guint32 *ret_l1_size);

/* qcow2-l2.c */
guint64 vmm_qcow2_slice_offset (const VmmQcow2 *q, guint64 l2_offset, guint64 guest_offset);
guint vmm_qcow2_slice_index (const VmmQcow2 *q, guint64 guest_offset);
/* Bytes from @guest_offset to where its slice's guest range ends. */
guint64 vmm_qcow2_slice_rest (const VmmQcow2 *q, guint64 guest_offset);
/* FALSE: the entry is not allowed. Lock held. */
gboolean vmm_qcow2_get_entry (const VmmQcow2 *q, const VmmQcow2Slice *slice, guint index, VmmQcow2Entry *ret_entry);
/* Lock held; the slice becomes dirty. */
void vmm_qcow2_set_entry (VmmQcow2 *q, VmmQcow2Slice *slice, guint index, guint64 raw, guint32 alloc, guint32 zero);
/* Where a compressed entry's data are. */
void vmm_qcow2_compressed_range (const VmmQcow2 *q, guint64 raw, guint64 *ret_offset, guint64 *ret_len);
/* The pointer to what @entry has is gone. Lock held. */
void vmm_qcow2_let_go (VmmQcow2 *q, const VmmQcow2Entry *entry);
/* The slice that maps @guest_offset, if cached: 0 and NULL where there is no L2 table; -EAGAIN. Lock held. */
int vmm_qcow2_peek_slice (VmmQcow2 *q, guint64 guest_offset, VmmQcow2Slice **ret_slice);
/* The same, loading it, pinned. Worker, lock not held. */
int vmm_qcow2_load_slice (VmmQcow2 *q, guint64 guest_offset, VmmQcow2Slice **ret_slice);
/* The same, making the L2 table or a copy of a shared one. Worker, lock not held. */
int vmm_qcow2_make_slice (VmmQcow2 *q, guint64 guest_offset, VmmQcow2Slice **ret_slice);
/* What the top of *@len bytes at @guest_offset is; cuts *@len to one kind, contiguous on the host. Lock held. @slice: NULL: no table */
int vmm_qcow2_locate (VmmQcow2 *q, const VmmQcow2Slice *slice, guint64 guest_offset, guint64 *len, VmmQcow2Kind *ret_kind,
                      guint64 *ret_host, guint64 *ret_raw);
/* Where *@len bytes can be written in place; FALSE: not even the first can. Lock held. */
gboolean vmm_qcow2_locate_writable (VmmQcow2 *q, const VmmQcow2Slice *slice, guint64 guest_offset, guint64 *len, guint64 *ret_host);
/* Whether a write there would hit metadata; then the image is broken. Lock held. */
gboolean vmm_qcow2_overlaps (VmmQcow2 *q, guint64 host, guint64 len);
void vmm_qcow2_meta_add (VmmQcow2 *q, guint64 host, guint64 len);
void vmm_qcow2_meta_remove (VmmQcow2 *q, guint64 host, guint64 len);

/* qcow2-io.c */
gboolean vmm_qcow2_start (VmmNode *node, VmmBlockRequest *req);
void vmm_qcow2_work (VmmNode *node, VmmBlockRequest *req);
int vmm_qcow2_map (VmmNode *node, guint64 offset, guint64 *len, gboolean may_block, VmmExtent *ret_extent);

/* qcow2-codec.c: bytes of a compressed cluster. Worker. */
int vmm_qcow2_read_coded (VmmNode *node, const VmmExtent *extent, gpointer buf, gsize len);
void vmm_qcow2_forget_decoded (VmmQcow2 *q);
