/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine on disk: a directory with machine.conf, images and logs. All calls block on files: not for a main thread with a window. */
#pragma once

#include "model/error.h"

G_BEGIN_DECLS

#define LODGE_BUNDLE_SUFFIX ".lodge"
#define LODGE_BUNDLE_CONF "machine.conf"

/**
 * LodgeBundle:
 * The content of one machine.conf, read and checked. Not shared between threads while it is changed.
 */
typedef struct _LodgeBundle LodgeBundle;
struct _VmmConfig;

/**
 * lodge_bundle_load:
 * @path: the directory
 * Errors: LODGE_ERROR_NOT_FOUND no such directory or no machine.conf in it; LODGE_ERROR_CONFIG naming file, group and key;
 *   LODGE_ERROR_FAILED unreadable.
 */
LodgeBundle *lodge_bundle_load (const char *path, GError **error);

/**
 * lodge_bundle_new_from_data:
 * @path: the directory that it is for; need not exist
 * @data: the text of a machine.conf, at most 1 MiB
 * Parses and checks as lodge_bundle_load() does, without any file.
 * Errors: LODGE_ERROR_CONFIG.
 */
LodgeBundle *lodge_bundle_new_from_data (const char *path, const char *data, gsize size, GError **error);
void lodge_bundle_free (LodgeBundle *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (LodgeBundle, lodge_bundle_free)

/**
 * lodge_bundle_save:
 * Checks the content, writes machine.conf beside the old one, makes it durable and replaces the old one in one step.
 * Errors: LODGE_ERROR_CONFIG, _NO_SPACE, _FAILED; then the old file is untouched.
 */
gboolean lodge_bundle_save (LodgeBundle *self, GError **error);

/**
 * lodge_bundle_edit:
 * @value: (nullable): %NULL removes the key
 * Changes one key of the machine.conf in @path; a value that is there already is not written again. Calls in one process take turns;
 * other processes are kept out by the lock, which the process that runs the machine holds and others take for the call.
 * Errors: as lodge_bundle_load() and lodge_bundle_save().
 */
gboolean lodge_bundle_edit (const char *path, const char *group, const char *key, const char *value, GError **error);

/**
 * lodge_bundle_apply:
 * @changes: of type a(sss): group, key and value, in this order. An empty value removes the key; an empty key removes the group. A
 *   device begins with its key "class".
 * Changes the machine.conf in @path, all of it or nothing; a content that is the same is not written again. Takes turns as
 * lodge_bundle_edit(), with the same duty to hold the lock.
 * Errors: LODGE_ERROR_INVALID what is wrong with a change, or with the whole that comes of them; else as lodge_bundle_load() and
 *   lodge_bundle_save().
 * Returns: (transfer full): the content as it is now.
 */
LodgeBundle *lodge_bundle_apply (const char *path, GVariant *changes, GError **error);

/**
 * lodge_bundle_lock:
 * Takes the lock of the bundle that whoever runs or changes the machine holds. Closing the descriptor releases it.
 * Errors: LODGE_ERROR_BUSY somebody else has it; LODGE_ERROR_FAILED.
 * Returns: (transfer full): a file descriptor, -1 on error.
 */
int lodge_bundle_lock (const char *path, GError **error);

/** lodge_bundle_create_config: Returns: (transfer full): what the engine makes a machine of. */
struct _VmmConfig *lodge_bundle_create_config (LodgeBundle *self, GError **error);

const char *lodge_bundle_get_path (LodgeBundle *self);
const char *lodge_bundle_get_name (LodgeBundle *self);
const char *lodge_bundle_get_uuid (LodgeBundle *self);
const char *lodge_bundle_get_os_id (LodgeBundle *self); /* (nullable) */
guint lodge_bundle_get_memory_mib (LodgeBundle *self);
guint lodge_bundle_get_cpus (LodgeBundle *self);

/** lodge_bundle_dup_groups: Returns: (transfer full): the names of all groups, in the file's order. */
char **lodge_bundle_dup_groups (LodgeBundle *self);
/** lodge_bundle_dup_value: Returns: (transfer full) (nullable): a value as it stands in the file, %NULL if it does not. */
char *lodge_bundle_dup_value (LodgeBundle *self, const char *group, const char *key);
/** lodge_bundle_set_value: @value: (nullable): %NULL removes the key */
void lodge_bundle_set_value (LodgeBundle *self, const char *group, const char *key, const char *value);
/** lodge_bundle_dup_keys: Returns: (transfer full): the keys of a group that exists. */
char **lodge_bundle_dup_keys (LodgeBundle *self, const char *group);

/** lodge_bundle_dup_text: Returns: (transfer full): the whole content as it stands in the file. */
char *lodge_bundle_dup_text (LodgeBundle *self);

/**
 * lodge_bundle_find_device:
 * @class_name: value of class=
 * Returns: (transfer full) (nullable): the name of the first group of that class.
 */
char *lodge_bundle_find_device (LodgeBundle *self, const char *class_name);

/** lodge_bundle_has_screen: Returns: %TRUE if the machine has a graphics adapter, of whatever class. */
gboolean lodge_bundle_has_screen (LodgeBundle *self);
/** lodge_bundle_find_drive: Returns: (transfer full) (nullable): the name of the first drive whose medium can be changed. */
char *lodge_bundle_find_drive (LodgeBundle *self);
/** lodge_bundle_has_drive: Returns: %TRUE if @device is such a drive. */
gboolean lodge_bundle_has_drive (LodgeBundle *self, const char *device);

/** lodge_bundle_dup_medium: Returns: (transfer full) (nullable): absolute path of what is in drive @device. */
char *lodge_bundle_dup_medium (LodgeBundle *self, const char *device);

/** lodge_bundle_dup_socket_path: Returns: (transfer full): where the process of the machine @uuid listens. */
char *lodge_bundle_dup_socket_path (const char *uuid);

/** lodge_bundle_dup_socket_directory: Returns: (transfer full): where all of them listen; it need not exist. */
char *lodge_bundle_dup_socket_directory (void);

/**
 * lodge_bundle_check_file:
 * Looks whether @path is a plain file that may be read.
 * Errors: LODGE_ERROR_NOT_FOUND, LODGE_ERROR_INVALID (a directory, a device …), LODGE_ERROR_FAILED (forbidden).
 */
gboolean lodge_bundle_check_file (const char *path, GError **error);

/**
 * lodge_bundle_setting_check:
 * Checks one setting against the engine's tables.
 * @class_name: (nullable): the class of the device that the group describes; %NULL for [machine] and [kernel]
 * Errors: LODGE_ERROR_INVALID saying what is allowed.
 */
gboolean lodge_bundle_setting_check (const char *group, const char *class_name, const char *key, const char *value, GError **error);

/**
 * lodge_bundle_error_from_engine:
 * @error: (transfer full): an error of any domain
 * @sentence: (nullable): translated: what failed; %NULL: the one for the error's code
 * Returns: (transfer full): the same in LODGE_ERROR with words for people, the technical text after a line break.
 */
GError *lodge_bundle_error_from_engine (GError *error, const char *sentence);

/**
 * lodge_bundle_remove_tree:
 * Deletes @path and all below; follows no symbolic link. Returns: %FALSE with errno set if something stays.
 */
gboolean lodge_bundle_remove_tree (const char *path);

G_END_DECLS
