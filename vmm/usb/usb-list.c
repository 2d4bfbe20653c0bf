/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which USB devices the host has: read from sysfs, so that none is opened for it and none wakes up.
 * Spec: Linux, Documentation/ABI/stable/sysfs-bus-usb. */
#include "usb/usb-backend.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ULIST_MAX_TEXT 256
#define ULIST_CLASS_HUB 9

static char *
ulist_read (const char *dir, const char *name)
{
  g_autofree char *path = g_build_filename (dir, name, NULL), *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  g_strstrip (text);
  if (*text == '\0' || strlen (text) > ULIST_MAX_TEXT)
    return NULL;
  return g_utf8_make_valid (text, -1);
}

/* FALSE: there is no such number. */
static gboolean
ulist_read_number (const char *dir, const char *name, guint base, guint64 max, guint64 *ret)
{
  g_autofree char *text = ulist_read (dir, name);

  return text != NULL && g_ascii_string_to_unsigned (text, base, 0, max, ret, NULL);
}

static void
ulist_free (gpointer data)
{
  VmmUsbHostDevice *device = data;

  g_free (device->vendor);
  g_free (device->product);
  g_free (device->serial);
  g_free (device->port);
  g_free (device);
}

/* The class of the first interface, which is a directory "1-2:1.0" in the device's. */
static guint8
ulist_interface_class (const char *dir)
{
  g_autoptr (GDir) entries = g_dir_open (dir, 0, NULL);
  g_autofree char *first = NULL;
  guint64 value = 0;
  const char *name;

  while (entries != NULL && (name = g_dir_read_name (entries)) != NULL)
    if (strchr (name, ':') != NULL && (first == NULL || strcmp (name, first) < 0))
      {
        g_free (first);
        first = g_strdup (name);
      }
  if (first != NULL)
    {
      g_autofree char *path = g_build_filename (dir, first, NULL);

      ulist_read_number (path, "bInterfaceClass", 16, 0xff, &value);
    }
  return (guint8) value;
}

/* (nullable): NULL for what is no device, or a hub. */
static VmmUsbHostDevice *
ulist_look (const char *sysfs, const char *dev, const char *name)
{
  g_autofree char *dir = g_build_filename (sysfs, name, NULL), *speed = NULL, *node = NULL;
  guint64 vendor, product, bus, address, class;
  VmmUsbHostDevice *device;

  /* "1-2.3"; not "usb1" (root hub), "1-2:1.0" (interface). */
  if (!g_ascii_isdigit (name[0]) || strchr (name, ':') != NULL)
    return NULL;
  if (!ulist_read_number (dir, "idVendor", 16, 0xffff, &vendor) || !ulist_read_number (dir, "idProduct", 16, 0xffff, &product)
      || !ulist_read_number (dir, "busnum", 10, 999, &bus) || !ulist_read_number (dir, "devnum", 10, 999, &address)
      || !ulist_read_number (dir, "bDeviceClass", 16, 0xff, &class) || class == ULIST_CLASS_HUB)
    return NULL;
  device = g_new0 (VmmUsbHostDevice, 1);
  device->vendor_id = (guint16) vendor;
  device->product_id = (guint16) product;
  device->bus = (guint) bus;
  device->address = (guint) address;
  device->device_class = class != 0 ? (guint8) class : ulist_interface_class (dir);
  device->vendor = ulist_read (dir, "manufacturer");
  device->product = ulist_read (dir, "product");
  device->serial = ulist_read (dir, "serial");
  device->port = g_strdup (name);
  speed = ulist_read (dir, "speed");
  device->mbit = speed != NULL ? MAX ((guint) g_ascii_strtoull (speed, NULL, 10), 1) : 12;
  node = g_strdup_printf ("%s/%03u/%03u", dev, device->bus, device->address);
  device->accessible = access (node, R_OK | W_OK) == 0;
  return device;
}

static gint
ulist_compare (gconstpointer a, gconstpointer b)
{
  const VmmUsbHostDevice *const *left = a, *const *right = b;

  return strcmp ((*left)->port, (*right)->port);
}

GPtrArray *
_vmm_usb_scan (const char *sysfs, const char *dev, GError **error)
{
  g_autoptr (GDir) entries = g_dir_open (sysfs, 0, NULL);
  GPtrArray *devices;
  const char *name;

  if (entries == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "this host has no USB (%s: %s)", sysfs, g_strerror (errno));
      return NULL;
    }
  devices = g_ptr_array_new_with_free_func (ulist_free);
  while ((name = g_dir_read_name (entries)) != NULL)
    {
      VmmUsbHostDevice *device = ulist_look (sysfs, dev, name);

      if (device != NULL)
        g_ptr_array_add (devices, device);
    }
  g_ptr_array_sort (devices, ulist_compare);
  return devices;
}

GPtrArray *
vmm_usb_host_list (GError **error)
{
  return _vmm_usb_scan ("/sys/bus/usb/devices", "/dev/bus/usb", error);
}
