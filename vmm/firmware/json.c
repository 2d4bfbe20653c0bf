/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/json.h"

#include "vmm-error.h"

#include <string.h>

#define JSON_MAX_LEN (1024 * 1024)
#define JSON_MAX_DEPTH 32

typedef enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } JsonKind;

struct _VmmJson {
  JsonKind kind;
  char *name;          /* (nullable): as a member of an object */
  char *text;          /* strings, numbers, true and false */
  GPtrArray *children; /* (nullable) (element-type VmmJson) */
};

typedef struct {
  const char *at, *end;
  const char *start;
  const char *problem; /* (nullable): what is wrong at @at */
} JsonReader;

void
vmm_json_free (VmmJson *json)
{
  if (json == NULL)
    return;
  g_free (json->name);
  g_free (json->text);
  g_clear_pointer (&json->children, g_ptr_array_unref);
  g_free (json);
}

static void
json_free_child (gpointer data)
{
  vmm_json_free (data);
}

static VmmJson *
json_new (JsonKind kind)
{
  VmmJson *json = g_new0 (VmmJson, 1);

  json->kind = kind;
  if (kind == JSON_ARRAY || kind == JSON_OBJECT)
    json->children = g_ptr_array_new_with_free_func (json_free_child);
  return json;
}

static void
json_skip_space (JsonReader *reader)
{
  while (reader->at < reader->end && strchr (" \t\r\n", *reader->at) != NULL && *reader->at != '\0')
    reader->at++;
}

static gboolean
json_take (JsonReader *reader, char c)
{
  json_skip_space (reader);
  if (reader->at >= reader->end || *reader->at != c)
    return FALSE;
  reader->at++;
  return TRUE;
}

static gboolean
json_fail (JsonReader *reader, const char *problem)
{
  if (reader->problem == NULL)
    reader->problem = problem;
  return FALSE;
}

/* Four hexadecimal digits after \u. */
static gboolean
json_read_hex (JsonReader *reader, gunichar *ret_value)
{
  gunichar value = 0;

  for (guint i = 0; i < 4; i++)
    {
      if (reader->at >= reader->end || !g_ascii_isxdigit (*reader->at))
        return json_fail (reader, "malformed \\u escape");
      value = value << 4 | (gunichar) g_ascii_xdigit_value (*reader->at++);
    }
  *ret_value = value;
  return TRUE;
}

static gboolean
json_read_escape (JsonReader *reader, GString *text)
{
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *found;
  gunichar value, low;
  char c;

  if (reader->at >= reader->end)
    return json_fail (reader, "unfinished string");
  c = *reader->at++;
  if (c != 'u')
    {
      found = c != '\0' ? strchr (from, c) : NULL;
      if (found == NULL)
        return json_fail (reader, "unknown escape");
      g_string_append_c (text, to[found - from]);
      return TRUE;
    }
  if (!json_read_hex (reader, &value))
    return FALSE;
  if (value >= 0xd800 && value < 0xdc00)
    {
      if (reader->end - reader->at < 2 || reader->at[0] != '\\' || reader->at[1] != 'u')
        return json_fail (reader, "half of a surrogate pair");
      reader->at += 2;
      if (!json_read_hex (reader, &low))
        return FALSE;
      if (low < 0xdc00 || low > 0xdfff)
        return json_fail (reader, "half of a surrogate pair");
      value = 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
    }
  else if (value == 0 || (value >= 0xdc00 && value < 0xe000))
    return json_fail (reader, "character that cannot be kept");
  g_string_append_unichar (text, value);
  return TRUE;
}

/* After the opening quote. */
static char *
json_read_string (JsonReader *reader)
{
  g_autoptr (GString) text = g_string_new (NULL);

  while (reader->at < reader->end)
    {
      char c = *reader->at++;

      if (c == '"')
        {
          if (g_utf8_validate (text->str, (gssize) text->len, NULL))
            return g_string_free (g_steal_pointer (&text), FALSE);
          json_fail (reader, "text that is not UTF-8");
          return NULL;
        }
      if ((guchar) c < 0x20)
        {
          json_fail (reader, "control character in a string");
          return NULL;
        }
      if (c != '\\')
        g_string_append_c (text, c);
      else if (!json_read_escape (reader, text))
        return NULL;
    }
  json_fail (reader, "unfinished string");
  return NULL;
}

static VmmJson *json_read_value (JsonReader *reader, guint depth);

/* After the opening bracket. */
static gboolean
json_read_children (JsonReader *reader, VmmJson *parent, char closing, guint depth)
{
  if (json_take (reader, closing))
    return TRUE;
  do
    {
      g_autofree char *name = NULL;
      VmmJson *child;

      if (parent->kind == JSON_OBJECT)
        {
          if (!json_take (reader, '"'))
            return json_fail (reader, "name expected");
          name = json_read_string (reader);
          if (name == NULL)
            return FALSE;
          if (!json_take (reader, ':'))
            return json_fail (reader, "':' expected");
        }
      child = json_read_value (reader, depth);
      if (child == NULL)
        return FALSE;
      child->name = g_steal_pointer (&name);
      g_ptr_array_add (parent->children, child);
    }
  while (json_take (reader, ','));
  return json_take (reader, closing) || json_fail (reader, "',' or closing bracket expected");
}

/* true, false, null, or a number. */
static VmmJson *
json_read_word (JsonReader *reader)
{
  const char *start = reader->at;
  g_autofree char *word = NULL;
  VmmJson *json;
  JsonKind kind;

  while (reader->at < reader->end && (g_ascii_isalnum (*reader->at) || strchr ("+-.", *reader->at) != NULL) && *reader->at != '\0')
    reader->at++;
  word = g_strndup (start, (gsize) (reader->at - start));
  if (g_str_equal (word, "null"))
    kind = JSON_NULL;
  else if (g_str_equal (word, "true") || g_str_equal (word, "false"))
    kind = JSON_BOOL;
  else if (g_regex_match_simple ("^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?$", word, G_REGEX_DOLLAR_ENDONLY,
                                 G_REGEX_MATCH_DEFAULT))
    kind = JSON_NUMBER;
  else
    {
      reader->at = start;
      json_fail (reader, "value expected");
      return NULL;
    }
  json = json_new (kind);
  json->text = g_steal_pointer (&word);
  return json;
}

static VmmJson *
json_read_value (JsonReader *reader, guint depth)
{
  g_autoptr (VmmJson) json = NULL;

  if (depth > JSON_MAX_DEPTH)
    {
      json_fail (reader, "nested too deeply");
      return NULL;
    }
  if (json_take (reader, '"'))
    {
      json = json_new (JSON_STRING);
      json->text = json_read_string (reader);
      return json->text != NULL ? g_steal_pointer (&json) : NULL;
    }
  if (json_take (reader, '{'))
    {
      json = json_new (JSON_OBJECT);
      return json_read_children (reader, json, '}', depth + 1) ? g_steal_pointer (&json) : NULL;
    }
  if (json_take (reader, '['))
    {
      json = json_new (JSON_ARRAY);
      return json_read_children (reader, json, ']', depth + 1) ? g_steal_pointer (&json) : NULL;
    }
  return json_read_word (reader);
}

VmmJson *
vmm_json_parse (const char *text, gsize len, GError **error)
{
  JsonReader reader = { .at = text, .end = text + len, .start = text };
  g_autoptr (VmmJson) json = NULL;

  if (len > JSON_MAX_LEN)
    {
      g_set_error_literal (error, VMM_ERROR, VMM_ERROR_CORRUPT, "JSON text is too long");
      return NULL;
    }
  json = json_read_value (&reader, 0);
  if (json != NULL)
    {
      json_skip_space (&reader);
      if (reader.at == reader.end)
        return g_steal_pointer (&json);
      json_fail (&reader, "text after the value");
    }
  g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "JSON, byte %" G_GSIZE_FORMAT ": %s", (gsize) (reader.at - reader.start),
               reader.problem);
  return NULL;
}

const VmmJson *
vmm_json_get_member (const VmmJson *json, const char *name)
{
  if (json == NULL || json->kind != JSON_OBJECT)
    return NULL;
  for (guint i = json->children->len; i > 0; i--)
    {
      const VmmJson *child = json->children->pdata[i - 1];

      if (g_str_equal (child->name, name))
        return child;
    }
  return NULL;
}

guint
vmm_json_get_length (const VmmJson *json)
{
  return json != NULL && json->kind == JSON_ARRAY ? json->children->len : 0;
}

const VmmJson *
vmm_json_get_element (const VmmJson *json, guint index)
{
  return index < vmm_json_get_length (json) ? json->children->pdata[index] : NULL;
}

const char *
vmm_json_get_string (const VmmJson *json)
{
  return json != NULL && json->kind == JSON_STRING ? json->text : NULL;
}

gboolean
vmm_json_has_string (const VmmJson *json, const char *text)
{
  for (guint i = 0; i < vmm_json_get_length (json); i++)
    if (g_strcmp0 (vmm_json_get_string (vmm_json_get_element (json, i)), text) == 0)
      return TRUE;
  return FALSE;
}
