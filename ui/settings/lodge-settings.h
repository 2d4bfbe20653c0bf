/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the user prefers, for all machines. Kept in one small file, so that every process of Lodge sees a change at once. */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

typedef enum {
  LODGE_RELEASE_LEFT_CTRL_ALT,
  LODGE_RELEASE_RIGHT_CTRL,
  LODGE_RELEASE_RIGHT_CTRL_ALT,
} LodgeReleaseKeys;

typedef enum {
  LODGE_CLOSE_ASK,
  LODGE_CLOSE_KEEP_RUNNING,
  LODGE_CLOSE_SHUT_DOWN,
  LODGE_CLOSE_TURN_OFF,
} LodgeClosePolicy;

typedef enum {
  LODGE_STYLE_SYSTEM,
  LODGE_STYLE_LIGHT,
  LODGE_STYLE_DARK,
} LodgeStyle;

GType lodge_release_keys_get_type (void) G_GNUC_CONST;
GType lodge_close_policy_get_type (void) G_GNUC_CONST;
GType lodge_style_get_type (void) G_GNUC_CONST;
#define LODGE_TYPE_RELEASE_KEYS (lodge_release_keys_get_type ())
#define LODGE_TYPE_CLOSE_POLICY (lodge_close_policy_get_type ())
#define LODGE_TYPE_STYLE (lodge_style_get_type ())

#define LODGE_TYPE_SETTINGS (lodge_settings_get_type ())
/* Properties, all of them writable and saved when they change: style, release-keys, close-policy. */
G_DECLARE_FINAL_TYPE (LodgeSettings, lodge_settings, LODGE, SETTINGS, GObject)

/**
 * lodge_settings_get_default:
 * Returns: (transfer none): the settings of this process. Thread: main.
 */
LodgeSettings *lodge_settings_get_default (void);

LodgeStyle lodge_settings_get_style (LodgeSettings *self);
LodgeReleaseKeys lodge_settings_get_release_keys (LodgeSettings *self);
LodgeClosePolicy lodge_settings_get_close_policy (LodgeSettings *self);

/**
 * lodge_release_keys_get_label:
 * Returns: the keys' names, for people: "Left Ctrl+Alt"
 */
const char *lodge_release_keys_get_label (LodgeReleaseKeys keys);

/**
 * lodge_close_policy_to_nick, lodge_close_policy_from_nick:
 * The policy as written in machine.conf and in the settings file; an unknown word is LODGE_CLOSE_ASK.
 */
const char *lodge_close_policy_to_nick (LodgeClosePolicy policy);
LodgeClosePolicy lodge_close_policy_from_nick (const char *nick);

G_END_DECLS
