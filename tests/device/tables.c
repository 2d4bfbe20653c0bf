/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The firmware tables, placed by a loader of the test's own as SeaBIOS and OVMF place them, then read by ACPICA's tools. Expected values:
 * ACPI 6.5, SMBIOS 2.8, PCI Firmware 3.2, and the memory map that QEMU's q35 shows. */
#include "chipset/fw-cfg.h"
#include "core/machine.h"
#include "core/memory.h"
#include "pci/pci.h"
#include "x86/tables.h"

#include <glib/gstdio.h>
#include <string.h>

#define RAM_BYTES (64u << 20)
#define N_CPUS 4
#define FSEG 0xf5000
#define HIGH 0x3f00000

typedef struct {
  VmmMachine *machine;
  GHashTable *keys;  /* name -> key */
  GHashTable *sizes; /* name -> size */
  GHashTable *where; /* name -> address */
} Firmware;

static const char uuid[] = "00112233-4455-6677-8899-aabbccddeeff";

static guint64
port_in (VmmMachine *machine, guint16 port, guint size)
{
  guint64 value = 0;

  vmm_bus_access (machine->bus, VMM_SPACE_PIO, port, &value, size, FALSE);
  return value;
}

static void
port_out (VmmMachine *machine, guint16 port, guint size, guint32 value)
{
  vmm_bus_access (machine->bus, VMM_SPACE_PIO, port, &value, size, TRUE);
}

static guint8 *
read_item (VmmMachine *machine, guint16 key, gsize len)
{
  guint8 *data = g_malloc (len);

  port_out (machine, 0x510, 2, key);
  for (gsize i = 0; i < len; i++)
    data[i] = (guint8) port_in (machine, 0x511, 1);
  return data;
}

static void
add_device (VmmMachine *machine, const char *class)
{
  g_autoptr (GError) error = NULL;

  vmm_device_new (machine, vmm_device_class_find (class), class, NULL, &error);
  g_assert_no_error (error);
}

static void
firmware_init (Firmware *firmware)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *directory = NULL;
  guint32 count;

  firmware->machine = vmm_machine_new_bare (RAM_BYTES, N_CPUS, &error);
  g_assert_no_error (error);
  add_device (firmware->machine, "fw-cfg");
  add_device (firmware->machine, "pci-host");
  add_device (firmware->machine, "mch");
  add_device (firmware->machine, "i8042");
  add_device (firmware->machine, "serial");
  vmm_items_install (firmware->machine, TRUE);
  vmm_e820_install (firmware->machine);
  vmm_smbios_install (firmware->machine, uuid);
  vmm_acpi_install (firmware->machine);
  vmm_machine_reset_devices (firmware->machine, VMM_RESET_COLD);

  firmware->keys = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  firmware->sizes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  firmware->where = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  directory = read_item (firmware->machine, 0x19, 4 + 64 * 64);
  memcpy (&count, directory, 4);
  for (guint i = 0; i < GUINT32_FROM_BE (count); i++)
    {
      const guint8 *entry = directory + 4 + 64 * i;

      g_hash_table_insert (firmware->keys, g_strdup ((const char *) entry + 8), GUINT_TO_POINTER (entry[4] << 8 | entry[5]));
      g_hash_table_insert (firmware->sizes, g_strdup ((const char *) entry + 8),
                           GUINT_TO_POINTER ((guint) entry[0] << 24 | entry[1] << 16 | entry[2] << 8 | entry[3]));
    }
}

static void
firmware_clear (Firmware *firmware)
{
  g_hash_table_unref (firmware->keys);
  g_hash_table_unref (firmware->sizes);
  g_hash_table_unref (firmware->where);
  vmm_machine_free (firmware->machine);
}

static guint8 *
read_file (Firmware *firmware, const char *name, gsize *ret_size)
{
  g_assert_true (g_hash_table_contains (firmware->keys, name));
  *ret_size = GPOINTER_TO_UINT (g_hash_table_lookup (firmware->sizes, name));
  return read_item (firmware->machine, (guint16) GPOINTER_TO_UINT (g_hash_table_lookup (firmware->keys, name)), *ret_size);
}

/* Guest memory, which the tests know to be there. */
static guint8 *
at (Firmware *firmware, guint64 gpa, gsize len)
{
  guint8 *host = vmm_memory_map (firmware->machine->memory, gpa, len);

  g_assert_nonnull (host);
  return host;
}

static guint64
get (const guint8 *bytes, guint size)
{
  guint64 value = 0;

  memcpy (&value, bytes, size);
  return GUINT64_FROM_LE (value);
}

static guint8
sum (const guint8 *bytes, gsize len)
{
  guint8 total = 0;

  for (gsize i = 0; i < len; i++)
    total = (guint8) (total + bytes[i]);
  return total;
}

/* The script, as romfile_loader.c carries it out. Returns the address of the RSDP. */
static guint64
run_loader (Firmware *firmware)
{
  g_autofree guint8 *script = NULL;
  gsize size;
  guint64 fseg = FSEG, high = HIGH;

  script = read_file (firmware, "etc/table-loader", &size);
  g_assert_cmpuint (size % 128, ==, 0);
  for (const guint8 *entry = script; entry < script + size; entry += 128)
    {
      const char *name = (const char *) entry + 4;

      switch (get (entry, 4))
        {
        case 0:
          break;
        case 1:
          {
            guint64 align = get (entry + 60, 4), *place = entry[64] == 2 ? &fseg : &high;
            g_autofree guint8 *content = NULL;
            gsize len;

            g_assert_cmpuint (align, <=, 4096);
            g_assert_true (entry[64] == 1 || entry[64] == 2);
            content = read_file (firmware, name, &len);
            *place = (*place + align - 1) & ~(align - 1);
            memcpy (at (firmware, *place, len), content, len);
            g_hash_table_insert (firmware->where, g_strdup (name), GUINT_TO_POINTER ((guint) *place));
            *place += len;
            break;
          }
        case 2:
          {
            guint8 width = entry[120], *field;
            guint64 value;

            g_assert_true (g_hash_table_contains (firmware->where, name));
            g_assert_true (g_hash_table_contains (firmware->where, (const char *) entry + 60));
            g_assert_true (width == 4 || width == 8);
            field = at (firmware, GPOINTER_TO_UINT (g_hash_table_lookup (firmware->where, name)) + get (entry + 116, 4), width);
            value = get (field, width) + GPOINTER_TO_UINT (g_hash_table_lookup (firmware->where, (const char *) entry + 60));
            value = GUINT64_TO_LE (value);
            memcpy (field, &value, width);
            break;
          }
        case 3:
          {
            guint64 base = GPOINTER_TO_UINT (g_hash_table_lookup (firmware->where, name)), len = get (entry + 68, 4);
            guint8 *bytes = at (firmware, base + get (entry + 64, 4), len);

            *at (firmware, base + get (entry + 60, 4), 1) -= sum (bytes, len);
            g_assert_cmpuint (sum (bytes, len), ==, 0);
            break;
          }
        default:
          g_assert_not_reached ();
        }
    }
  return GPOINTER_TO_UINT (g_hash_table_lookup (firmware->where, "etc/acpi/rsdp"));
}

static guint8 *
check_table (Firmware *firmware, guint64 gpa, gsize *ret_len)
{
  *ret_len = get (at (firmware, gpa, 36) + 4, 4);
  g_assert_cmpuint (sum (at (firmware, gpa, *ret_len), *ret_len), ==, 0);
  return at (firmware, gpa, *ret_len);
}

/* By signature, through the XSDT or the RSDT. */
static guint8 *
find_table (Firmware *firmware, guint64 rsdp, const char *signature, gboolean extended, gsize *ret_len)
{
  gsize root_len, width = extended ? 8 : 4;
  guint8 *root = check_table (firmware, get (at (firmware, rsdp, 36) + (extended ? 24 : 16), (guint) width), &root_len);

  for (gsize offset = 36; offset < root_len; offset += width)
    {
      guint8 *table = check_table (firmware, get (root + offset, (guint) width), ret_len);

      if (memcmp (table, signature, 4) == 0)
        return table;
    }
  return NULL;
}

static void
set_ecam (Firmware *firmware, guint32 value)
{
  vmm_pci_bus_config_write (firmware->machine->pci_bus, 0, 0x60, 4, value);
}

static void
test_placed (void)
{
  Firmware firmware;
  guint64 rsdp;
  gsize len, other_len;
  guint8 *root;

  firmware_init (&firmware);
  set_ecam (&firmware, 0xb0000001);
  rsdp = run_loader (&firmware);
  root = at (&firmware, rsdp, 36);
  g_assert_cmpmem (root, 8, "RSD PTR ", 8);
  g_assert_cmpuint (root[15], ==, 2);
  g_assert_cmpuint (get (root + 20, 4), ==, 36);
  g_assert_cmpuint (sum (root, 20), ==, 0);
  g_assert_cmpuint (sum (root, 36), ==, 0);
  g_assert_cmphex (rsdp, <, 0x100000);
  g_assert_cmphex (rsdp % 16, ==, 0);
  for (guint i = 0; i < 5; i++)
    {
      static const char signatures[5][5] = { "FACP", "APIC", "MCFG", "WAET", "SSDT" };

      g_assert_true (find_table (&firmware, rsdp, signatures[i], TRUE, &len)
                     == find_table (&firmware, rsdp, signatures[i], FALSE, &other_len));
      g_assert_nonnull (find_table (&firmware, rsdp, signatures[i], TRUE, &len));
    }
  firmware_clear (&firmware);
}

static void
test_fadt (void)
{
  Firmware firmware;
  gsize len;
  guint8 *fadt, *facs, *dsdt;

  firmware_init (&firmware);
  fadt = find_table (&firmware, run_loader (&firmware), "FACP", TRUE, &len);
  g_assert_cmpuint (len, ==, 244);
  facs = at (&firmware, get (fadt + 36, 4), 64);
  g_assert_cmpmem (facs, 4, "FACS", 4);
  g_assert_cmphex (get (fadt + 36, 4) % 64, ==, 0);
  dsdt = check_table (&firmware, get (fadt + 40, 4), &len);
  g_assert_cmpmem (dsdt, 4, "DSDT", 4);
  g_assert_cmphex (get (fadt + 140, 8), ==, get (fadt + 40, 4)); /* X_DSDT */
  g_assert_cmphex (get (fadt + 46, 2), ==, 9);                   /* SCI */
  g_assert_cmphex (get (fadt + 48, 4), ==, 0);                   /* no SMI command */
  g_assert_cmphex (get (fadt + 56, 4), ==, 0x600);
  g_assert_cmphex (get (fadt + 64, 4), ==, 0x604);
  g_assert_cmphex (get (fadt + 76, 4), ==, 0x608);
  g_assert_cmphex (get (fadt + 80, 4), ==, 0x620);
  g_assert_cmphex (fadt[88], ==, 4);
  g_assert_cmphex (fadt[89], ==, 2);
  g_assert_cmphex (fadt[91], ==, 4);
  g_assert_cmphex (fadt[92], ==, 16);
  g_assert_cmphex (fadt[108], ==, 0x32);                    /* century */
  g_assert_cmphex (get (fadt + 112, 4) & 0x10, ==, 0);      /* fixed power button */
  g_assert_cmphex (get (fadt + 112, 4) & 0x400, ==, 0x400); /* reset register */
  g_assert_cmpmem (fadt + 116, 12, "\x01\x08\x00\x01\xf9\x0c\0\0\0\0\0\0", 12);
  g_assert_cmphex (fadt[128], ==, 0x0f);
  g_assert_cmphex (get (fadt + 148 + 4, 8), ==, 0x600); /* the X_ fields that nested Hyper-V wants */
  g_assert_cmphex (get (fadt + 172 + 4, 8), ==, 0x604);
  g_assert_cmphex (get (fadt + 208 + 4, 8), ==, 0x608);
  g_assert_cmphex (get (fadt + 220 + 4, 8), ==, 0x620);
  firmware_clear (&firmware);
}

static void
test_madt (void)
{
  Firmware firmware;
  gsize len;
  guint8 *madt;
  guint processors = 0, io_apics = 0;
  gboolean irq0 = FALSE;

  firmware_init (&firmware);
  madt = find_table (&firmware, run_loader (&firmware), "APIC", TRUE, &len);
  g_assert_cmphex (get (madt + 36, 4), ==, 0xfee00000);
  g_assert_cmphex (get (madt + 40, 4), ==, 1);
  for (gsize offset = 44; offset < len; offset += madt[offset + 1])
    {
      const guint8 *entry = madt + offset;

      g_assert_cmpuint (entry[1], >, 0);
      if (entry[0] == 0)
        {
          g_assert_cmpuint (entry[2], ==, processors);
          g_assert_cmpuint (get (entry + 4, 4), ==, 1);
          processors++;
        }
      else if (entry[0] == 1)
        {
          g_assert_cmphex (get (entry + 4, 4), ==, 0xfec00000);
          io_apics++;
        }
      else if (entry[0] == 2 && entry[3] == 0)
        irq0 = get (entry + 4, 4) == 2;
      else if (entry[0] == 2)
        {
          g_assert_cmpuint (get (entry + 4, 4), ==, entry[3]);
          g_assert_cmphex (get (entry + 8, 2), ==, 0x0d);
        }
    }
  g_assert_cmpuint (processors, ==, N_CPUS);
  g_assert_cmpuint (io_apics, ==, 1);
  g_assert_true (irq0);
  firmware_clear (&firmware);
}

static void
test_mcfg (void)
{
  Firmware firmware;
  gsize len;
  guint8 *mcfg;

  firmware_init (&firmware);
  set_ecam (&firmware, 0xb0000001); /* SeaBIOS */
  mcfg = find_table (&firmware, run_loader (&firmware), "MCFG", TRUE, &len);
  g_assert_cmpuint (len, ==, 60);
  g_assert_cmphex (get (mcfg + 44, 8), ==, 0xb0000000);
  g_assert_cmphex (mcfg[54], ==, 0);
  g_assert_cmphex (mcfg[55], ==, 0xff);
  vmm_machine_reset_devices (firmware.machine, VMM_RESET_WARM);
  set_ecam (&firmware, 0xe0000001); /* OVMF */
  mcfg = find_table (&firmware, run_loader (&firmware), "MCFG", TRUE, &len);
  g_assert_cmphex (get (mcfg + 44, 8), ==, 0xe0000000);
  vmm_machine_reset_devices (firmware.machine, VMM_RESET_WARM);
  g_assert_null (find_table (&firmware, run_loader (&firmware), "MCFG", TRUE, &len)); /* off */
  firmware_clear (&firmware);
}

/* ACPICA */

static char *
write_table (Firmware *firmware, const char *dir, const char *name, const guint8 *table, gsize len)
{
  char *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents (path, (const char *) table, (gssize) len, NULL));
  return path;
}

static char *
run_tool (const char *dir, const char *const *argv)
{
  g_autofree char *errors = NULL;
  g_autoptr (GError) error = NULL;
  char *output = NULL;
  int status;

  g_spawn_sync (dir, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors, &status, &error);
  g_assert_no_error (error);
  g_test_message ("%s: %s%s", argv[0], output, errors);
  g_assert_true (g_spawn_check_wait_status (status, NULL));
  return output;
}

static gboolean
has_tool (const char *name)
{
  g_autofree char *path = g_find_program_in_path (name);

  if (path == NULL)
    g_test_skip ("acpica-tools are not here");
  return path != NULL;
}

static void
remove_dir (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);

  for (const char *name; (name = g_dir_read_name (dir)) != NULL;)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      g_unlink (file);
    }
  g_rmdir (path);
}

static void
test_disassembles (void)
{
  static const char *const signatures[] = { "APIC", "FACP", "MCFG", "SSDT", "WAET" };
  g_autofree char *dir = NULL;
  Firmware firmware;
  guint64 rsdp;
  gsize len;

  if (!has_tool ("iasl"))
    return;
  dir = g_dir_make_tmp ("lodge-test-XXXXXX", NULL);
  firmware_init (&firmware);
  set_ecam (&firmware, 0xb0000001);
  rsdp = run_loader (&firmware);
  for (guint i = 0; i < G_N_ELEMENTS (signatures); i++)
    {
      guint8 *table = find_table (&firmware, rsdp, signatures[i], TRUE, &len);
      g_autofree char *path = write_table (&firmware, dir, signatures[i], table, len);
      g_autofree char *output = run_tool (dir, (const char *const[]) { "iasl", "-d", path, NULL });
      g_autofree char *source_path = g_strconcat (path, ".dsl", NULL);
      g_autofree char *source = NULL;

      g_assert_true (g_file_get_contents (source_path, &source, NULL, NULL));
      g_assert_null (strstr (source, "rror"));
      g_assert_null (strstr (source, "nvalid"));
    }
  remove_dir (dir);
  firmware_clear (&firmware);
}

static void
assert_has (const char *text, const char *wanted)
{
  if (strstr (text, wanted) == NULL)
    g_error ("\"%s\" is not in:\n%s", wanted, text);
}

/* The methods, run by the reference interpreter. */
static void
test_executes (void)
{
  static const char *const ecams[] = { "0xB0000001", "0xE0000001" };
  g_autofree char *dir = NULL;

  if (!has_tool ("acpiexec"))
    return;
  dir = g_dir_make_tmp ("lodge-test-XXXXXX", NULL);
  for (guint i = 0; i < 2; i++)
    {
      Firmware firmware;
      gsize len, dsdt_len;
      guint8 *ssdt, *fadt, *dsdt;
      g_autofree char *dsdt_path = NULL, *ssdt_path = NULL, *output = NULL;

      firmware_init (&firmware);
      set_ecam (&firmware, (guint32) g_ascii_strtoull (ecams[i], NULL, 16));
      fadt = find_table (&firmware, run_loader (&firmware), "FACP", TRUE, &len);
      dsdt = check_table (&firmware, get (fadt + 40, 4), &dsdt_len);
      ssdt = find_table (&firmware, GPOINTER_TO_UINT (g_hash_table_lookup (firmware.where, "etc/acpi/rsdp")), "SSDT", TRUE, &len);
      dsdt_path = write_table (&firmware, dir, "dsdt.aml", dsdt, dsdt_len);
      ssdt_path = write_table (&firmware, dir, "ssdt.aml", ssdt, len);
      output = run_tool (dir, (const char *const[]) { "acpiexec", "-b",
                                                      "evaluate \\_SB.PCI0.SF8.KBD._STA;evaluate \\_SB.PCI0.SF8.COM1._STA;"
                                                      "evaluate \\_SB.PCI0.SF8.COM2._STA;evaluate \\_SB.C003._UID;"
                                                      "resources \\_SB.PCI0;resources \\_SB.DRAC;resources \\_SB.LNKC",
                                                      dsdt_path, ssdt_path, NULL });
      g_assert_null (strstr (output, "ACPI Error"));
      /* The windows on both sides of ECAM. */
      if (i == 0)
        {
          assert_has (output, "Address Minimum : 04000000");
          assert_has (output, "Address Maximum : AFFFFFFF");
          assert_has (output, "Address Minimum : C0000000");
        }
      else
        {
          assert_has (output, "Address Maximum : DFFFFFFF");
          assert_has (output, "Address Minimum : F0000000");
        }
      assert_has (output, "Address Maximum : FEBFFFFF");
      assert_has (output, i == 0 ? "Address : B0000000" : "Address : E0000000"); /* DRAC */
      assert_has (output, "SF8.COM1._STA returned");
      assert_has (output, "[Integer] = 000000000000000F");
      assert_has (output, "[Integer] = 0000000000000000"); /* COM2 */
      assert_has (output, "[Integer] = 0000000000000003"); /* _UID of the last processor, as in the MADT */
      g_unlink (dsdt_path);
      g_unlink (ssdt_path);
      firmware_clear (&firmware);
    }
  remove_dir (dir);
}

static void
test_smbios (void)
{
  static const guint8 expected_types[] = { 1, 3, 4, 16, 17, 19, 32, 127 };
  Firmware firmware;
  g_autofree guint8 *anchor = NULL, *tables = NULL;
  gsize anchor_size, size, offset = 0, largest = 0;
  guint count = 0;

  firmware_init (&firmware);
  anchor = read_file (&firmware, "etc/smbios/smbios-anchor", &anchor_size);
  tables = read_file (&firmware, "etc/smbios/smbios-tables", &size);
  g_assert_cmpuint (anchor_size, ==, 31);
  g_assert_cmpmem (anchor, 4, "_SM_", 4);
  g_assert_cmpmem (anchor + 16, 5, "_DMI_", 5);
  g_assert_cmpuint (sum (anchor, 31), ==, 0);
  g_assert_cmpuint (sum (anchor + 16, 15), ==, 0);
  g_assert_cmpuint (get (anchor + 22, 2), ==, size);
  while (offset < size)
    {
      const guint8 *entry = tables + offset;
      gsize end = offset + entry[1];

      g_assert_cmpuint (count, <, G_N_ELEMENTS (expected_types));
      g_assert_cmpuint (entry[0], ==, expected_types[count]);
      if (entry[0] == 1)
        {
          g_assert_cmpmem (entry + 8, 16, "\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
          g_assert_cmpstr ((const char *) tables + end, ==, "Lodge");
        }
      else if (entry[0] == 4)
        g_assert_cmpuint (entry[0x23], ==, N_CPUS);
      else if (entry[0] == 17)
        g_assert_cmpuint (get (entry + 0x0c, 2), ==, 64);
      else if (entry[0] == 19)
        {
          g_assert_cmpuint (get (entry + 4, 4), ==, 0);
          g_assert_cmpuint (get (entry + 8, 4), ==, 65535);
        }
      while (tables[end] != 0 || tables[end + 1] != 0)
        g_assert_cmpuint (++end, <, size - 1);
      end += 2;
      largest = MAX (largest, end - offset);
      offset = end;
      count++;
    }
  g_assert_cmpuint (offset, ==, size);
  g_assert_cmpuint (count, ==, get (anchor + 28, 2));
  g_assert_cmpuint (largest, ==, get (anchor + 8, 2));
  firmware_clear (&firmware);
}

static void
test_e820 (void)
{
  g_autoptr (GError) error = NULL;
  Firmware firmware;
  g_autofree guint8 *map = NULL;
  gsize size;
  gboolean kvm_pages = FALSE;

  firmware_init (&firmware);
  map = read_file (&firmware, "etc/e820", &size);
  g_assert_cmpuint (size % 20, ==, 0); /* OVMF stops at anything else */
  g_assert_cmphex (get (map, 8), ==, 0);
  g_assert_cmphex (get (map + 8, 8), ==, RAM_BYTES);
  g_assert_cmphex (get (map + 16, 4), ==, 1);
  for (gsize i = 20; i < size; i += 20)
    kvm_pages = kvm_pages || (get (map + i, 8) == 0xfeffc000 && get (map + i + 8, 8) == 0x4000 && get (map + i + 16, 4) == 2);
  g_assert_true (kvm_pages);
  firmware_clear (&firmware);
}

static void
test_items (void)
{
  Firmware firmware;
  g_autofree guint8 *cpus = NULL, *ram = NULL, *states = NULL;
  gsize size;

  firmware_init (&firmware);
  cpus = read_item (firmware.machine, 5, 2);
  ram = read_item (firmware.machine, 3, 8);
  states = read_file (&firmware, "etc/system-states", &size);
  g_assert_cmpuint (get (cpus, 2), ==, N_CPUS);
  g_assert_cmpuint (get (ram, 8), ==, RAM_BYTES);
  g_assert_cmpmem (states, size, "\x80\0\0\0\0\x80", 6);
  firmware_clear (&firmware);
}

/* Firmware reads the sizes before the content is made. */
static void
test_sizes_fixed (void)
{
  Firmware one, other;

  firmware_init (&one);
  firmware_init (&other);
  set_ecam (&one, 0xb0000001);
  run_loader (&one);
  g_assert_true (g_hash_table_lookup (one.sizes, "etc/acpi/tables") == g_hash_table_lookup (other.sizes, "etc/acpi/tables"));
  g_assert_cmpuint (GPOINTER_TO_UINT (g_hash_table_lookup (one.sizes, "etc/acpi/tables")), ==, 65536);
  g_assert_cmpuint (GPOINTER_TO_UINT (g_hash_table_lookup (one.sizes, "etc/acpi/rsdp")), ==, 36);
  firmware_clear (&one);
  firmware_clear (&other);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tables/acpi/script-places-them-with-right-sums", test_placed);
  g_test_add_func ("/tables/acpi/fadt", test_fadt);
  g_test_add_func ("/tables/acpi/madt", test_madt);
  g_test_add_func ("/tables/acpi/mcfg-follows-the-firmware", test_mcfg);
  g_test_add_func ("/tables/acpi/sizes-do-not-change", test_sizes_fixed);
  g_test_add_func ("/tables/acpi/iasl-disassembles-them", test_disassembles);
  g_test_add_func ("/tables/acpi/acpica-runs-the-methods", test_executes);
  g_test_add_func ("/tables/smbios/structures", test_smbios);
  g_test_add_func ("/tables/e820", test_e820);
  g_test_add_func ("/tables/items", test_items);
  return g_test_run ();
}
