/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ACPI tables of the q35 board and the script by which the firmware places them.
 * Spec: ACPI 6.5 §5.2 (tables), §20.2 (AML encoding); PCI Firmware 3.2 §4.1 (MCFG); WAET 1.2; TCG ACPI 1.4 §7.3 (TPM2); the table loader as SeaBIOS's romfile_loader.c
 * and edk2's AcpiPlatformDxe carry it out. Left out: sleep states, NUMA, HPET, hot-plug.
 *
 * Theory of operation: three files. "etc/acpi/tables" holds all tables one after another; fields that point at a table hold its offset in
 * the file until the loader adds where the file lies. "etc/acpi/rsdp" goes below 1 MiB. "etc/table-loader" is the script; a table's
 * checksum is computed after its own pointers and before anything points at it, because OVMF looks at what a pointer finds.
 * The DSDT is static (dsdt.asl). What depends on this machine or on the firmware's choices is in the SSDT: plain names and the processors.
 * All of it is made anew whenever one of the files is first read after a reset, and depends only on the machine and on the ECAM window, so
 * the three agree. */
#include "chipset/fw-cfg.h"
#include "core/machine.h"
#include "pci/pci.h"
#include "x86/cpuid.h"
#include "x86/tables.h"

#include <string.h>

/* Firmware reads the directory with the sizes before the content is made: room for the largest machine. */
#define ACPT_TABLES_SIZE (64 * 1024)
#define ACPT_LOADER_SIZE (8 * 1024)
#define ACPT_FILE_RSDP "etc/acpi/rsdp"
#define ACPT_FILE_TABLES "etc/acpi/tables"
#define ACPT_FILE_LOADER "etc/table-loader"
#define ACPT_FILE_TPM_LOG "etc/tpm/log"
#define ACPT_TPM_LOG_SIZE (64 * 1024)

#define ACPT_HEADER 36
#define ACPT_CHECKSUM 9
#define ACPT_ALIGN 8

#define ACPT_PM_BASE 0x600 /* where SeaBIOS and OVMF put PMBASE */
#define ACPT_SCI 9
#define ACPT_IOAPIC 0xfec00000u
#define ACPT_LAPIC 0xfee00000u
#define ACPT_ECAM_BUS_SIZE (1024 * 1024)
#define ACPT_4G G_GUINT64_CONSTANT (0x100000000)
#define ACPT_TPM 0xfed40000u /* chipset/tpm-crb.c */
#define ACPT_TPM_SIZE 0x1000u
#define ACPT_TPM_CONTROL 0x40 /* TPM_CRB_CTRL_REQ */
#define ACPT_HIGH_WINDOW (G_GUINT64_CONSTANT (32) << 30)
#define ACPT_HIGH_ALIGN (G_GUINT64_CONSTANT (1) << 30)

/* AML, §20.2 */
#define AML_NAME 0x08
#define AML_BYTE 0x0a
#define AML_DWORD 0x0c
#define AML_STRING 0x0d
#define AML_QWORD 0x0e
#define AML_SCOPE 0x10
#define AML_BUFFER 0x11
#define AML_EXT 0x5b
#define AML_EXT_DEVICE 0x82

/* DEVS in dsdt.asl */
#define ACPT_DEV_I8042 0x01
#define ACPT_DEV_COM1 0x02

static const guint8 acpt_dsdt[] = {
#include "x86/acpi-dsdt.inc"
};

typedef struct {
  VmmMachine *machine;
  GByteArray *tables, *rsdp, *loader;
} AcptBuild;

/* Bytes */

static void
acpt_u8 (GByteArray *out, guint8 value)
{
  g_byte_array_append (out, &value, 1);
}

static void
acpt_u16 (GByteArray *out, guint16 value)
{
  value = GUINT16_TO_LE (value);
  g_byte_array_append (out, (const guint8 *) &value, sizeof value);
}

static void
acpt_u32 (GByteArray *out, guint32 value)
{
  value = GUINT32_TO_LE (value);
  g_byte_array_append (out, (const guint8 *) &value, sizeof value);
}

static void
acpt_u64 (GByteArray *out, guint64 value)
{
  value = GUINT64_TO_LE (value);
  g_byte_array_append (out, (const guint8 *) &value, sizeof value);
}

static void
acpt_zeros (GByteArray *out, guint count)
{
  for (guint i = 0; i < count; i++)
    acpt_u8 (out, 0);
}

static void
acpt_text (GByteArray *out, const char *text, guint len)
{
  g_byte_array_append (out, (const guint8 *) text, len);
}

static void
acpt_set_u32 (GByteArray *out, gsize offset, guint32 value)
{
  value = GUINT32_TO_LE (value);
  memcpy (out->data + offset, &value, sizeof value);
}

/* The loader's script: records of 128 bytes. */

static gsize
acpt_command (AcptBuild *build, guint32 command)
{
  gsize start = build->loader->len;

  acpt_u32 (build->loader, command);
  acpt_zeros (build->loader, 124);
  return start;
}

static void
acpt_command_name (AcptBuild *build, gsize record, gsize offset, const char *name)
{
  memcpy (build->loader->data + record + offset, name, strlen (name));
}

static void
acpt_allocate (AcptBuild *build, const char *file, guint32 align, guint8 zone)
{
  gsize record = acpt_command (build, 1);

  acpt_command_name (build, record, 4, file);
  acpt_set_u32 (build->loader, record + 60, align);
  build->loader->data[record + 64] = zone; /* 1: anywhere below 4 GiB, 2: the F segment */
}

/* A field of @size bytes at @offset of @file points into @target. */
static void
acpt_pointer_to (AcptBuild *build, const char *file, gsize offset, guint8 size, const char *target)
{
  gsize record = acpt_command (build, 2);

  acpt_command_name (build, record, 4, file);
  acpt_command_name (build, record, 60, target);
  acpt_set_u32 (build->loader, record + 116, (guint32) offset);
  build->loader->data[record + 120] = size;
}

static void
acpt_pointer (AcptBuild *build, const char *file, gsize offset, guint8 size)
{
  acpt_pointer_to (build, file, offset, size, ACPT_FILE_TABLES);
}

static void
acpt_checksum (AcptBuild *build, const char *file, gsize result, gsize start, gsize len)
{
  gsize record = acpt_command (build, 3);

  acpt_command_name (build, record, 4, file);
  acpt_set_u32 (build->loader, record + 60, (guint32) result);
  acpt_set_u32 (build->loader, record + 64, (guint32) start);
  acpt_set_u32 (build->loader, record + 68, (guint32) len);
}

/* Tables */

static gsize
acpt_begin (AcptBuild *build, const char *signature, guint8 revision)
{
  GByteArray *out = build->tables;
  gsize start;

  while (out->len % ACPT_ALIGN != 0)
    acpt_u8 (out, 0);
  start = out->len;
  acpt_text (out, signature, 4);
  acpt_u32 (out, 0); /* length, filled in by acpt_end() */
  acpt_u8 (out, revision);
  acpt_u8 (out, 0); /* checksum: the loader's work */
  acpt_text (out, "LODGE ", 6);
  acpt_text (out, "LODGEQ35", 8);
  acpt_u32 (out, 1);
  acpt_text (out, "LODG", 4);
  acpt_u32 (out, 1);
  return start;
}

/* Call after the commands for the table's own pointers. */
static void
acpt_end (AcptBuild *build, gsize start)
{
  gsize len = build->tables->len - start;

  acpt_set_u32 (build->tables, start + 4, (guint32) len);
  acpt_checksum (build, ACPT_FILE_TABLES, start + ACPT_CHECKSUM, start, len);
}

static gsize
acpt_add_facs (AcptBuild *build)
{
  gsize start = build->tables->len;

  g_assert (start % 64 == 0); /* §5.2.10 */
  acpt_text (build->tables, "FACS", 4);
  acpt_u32 (build->tables, 64);
  acpt_zeros (build->tables, 56);
  return start;
}

static gsize
acpt_add_dsdt (AcptBuild *build)
{
  gsize start;

  while (build->tables->len % ACPT_ALIGN != 0)
    acpt_u8 (build->tables, 0);
  start = build->tables->len;
  g_byte_array_append (build->tables, acpt_dsdt, sizeof acpt_dsdt);
  acpt_end (build, start);
  return start;
}

/* Generic address structure, §5.2.3.2: I/O ports. */
static void
acpt_gas_io (GByteArray *out, guint8 bits, guint16 port)
{
  static const guint8 access_sizes[] = { [8] = 1, [16] = 2, [32] = 3 };

  acpt_u8 (out, port != 0 ? 1 : 0);
  acpt_u8 (out, bits);
  acpt_u8 (out, 0);
  acpt_u8 (out, bits <= 32 ? access_sizes[bits] : 1);
  acpt_u64 (out, port);
}

/* §5.2.9, revision 3: what Windows and nested Hyper-V ask for is that the X_ fields are filled in. */
static gsize
acpt_add_fadt (AcptBuild *build, gsize facs, gsize dsdt)
{
  GByteArray *out = build->tables;
  gsize start = acpt_begin (build, "FACP", 3);
  guint32 flags = 1 << 0     /* WBINVD works */
                  | 1 << 2   /* every processor has C1 */
                  | 1 << 5   /* no fixed sleep button; the power button is fixed: bit 4 is clear */
                  | 1 << 10  /* reset register */
                  | 1 << 15; /* the PM timer rather than a clock of the processor's */

  if (build->machine->n_vcpus > 8)
    flags |= 1 << 18; /* logical interrupt destinations as clusters */

  acpt_u32 (out, (guint32) facs);
  acpt_u32 (out, (guint32) dsdt);
  acpt_u8 (out, 1); /* (interrupt model of ACPI 1.0) */
  acpt_u8 (out, 1); /* profile: desktop */
  acpt_u16 (out, ACPT_SCI);
  acpt_u32 (out, 0);            /* no SMI command: ACPI is on from the start */
  acpt_zeros (out, 4);          /* ACPI enable, disable, S4BIOS, P-state */
  acpt_u32 (out, ACPT_PM_BASE); /* PM1a event */
  acpt_u32 (out, 0);
  acpt_u32 (out, ACPT_PM_BASE + 4); /* PM1a control */
  acpt_u32 (out, 0);
  acpt_u32 (out, 0);                   /* PM2 control */
  acpt_u32 (out, ACPT_PM_BASE + 8);    /* PM timer */
  acpt_u32 (out, ACPT_PM_BASE + 0x20); /* GPE0 */
  acpt_u32 (out, 0);
  acpt_u8 (out, 4);       /* their lengths: PM1 event, */
  acpt_u8 (out, 2);       /* PM1 control, */
  acpt_u8 (out, 0);       /* PM2 control, */
  acpt_u8 (out, 4);       /* PM timer, */
  acpt_u8 (out, 16);      /* GPE0, */
  acpt_u8 (out, 0);       /* GPE1 */
  acpt_u8 (out, 0);       /* GPE1 base */
  acpt_u8 (out, 0);       /* _CST */
  acpt_u16 (out, 0x0fff); /* C2 and C3: none */
  acpt_u16 (out, 0x0fff);
  acpt_u16 (out, 0); /* cache flushing by WBINVD alone */
  acpt_u16 (out, 0);
  acpt_u8 (out, 0); /* duty cycle */
  acpt_u8 (out, 0);
  acpt_u8 (out, 0); /* CMOS: day and month alarm: none */
  acpt_u8 (out, 0);
  acpt_u8 (out, 0x32);    /* CMOS: century */
  acpt_u16 (out, 0x0003); /* legacy devices, i8042 */
  acpt_u8 (out, 0);
  acpt_u32 (out, flags);
  acpt_gas_io (out, 8, 0xcf9); /* reset register and its value */
  acpt_u8 (out, 0x0f);
  acpt_zeros (out, 3);
  acpt_u64 (out, 0); /* X_FIRMWARE_CTRL: the 32-bit field is used */
  acpt_u64 (out, dsdt);
  acpt_gas_io (out, 32, ACPT_PM_BASE);
  acpt_gas_io (out, 0, 0);
  acpt_gas_io (out, 16, ACPT_PM_BASE + 4);
  acpt_gas_io (out, 0, 0);
  acpt_gas_io (out, 0, 0);
  acpt_gas_io (out, 32, ACPT_PM_BASE + 8);
  acpt_gas_io (out, 128, ACPT_PM_BASE + 0x20);
  acpt_gas_io (out, 0, 0);
  g_assert (out->len - start == 244);

  acpt_pointer (build, ACPT_FILE_TABLES, start + 36, 4);
  acpt_pointer (build, ACPT_FILE_TABLES, start + 40, 4);
  acpt_pointer (build, ACPT_FILE_TABLES, start + 140, 8);
  acpt_end (build, start);
  return start;
}

static void
acpt_override (GByteArray *out, guint8 isa_irq, guint32 gsi, guint16 flags)
{
  acpt_u8 (out, 2);
  acpt_u8 (out, 10);
  acpt_u8 (out, 0); /* ISA */
  acpt_u8 (out, isa_irq);
  acpt_u32 (out, gsi);
  acpt_u16 (out, flags);
}

/* §5.2.12 */
static gsize
acpt_add_madt (AcptBuild *build)
{
  static const guint8 pci_irqs[] = { 5, 9, 10, 11 }; /* links and SCI: level, active high */
  GByteArray *out = build->tables;
  gsize start = acpt_begin (build, "APIC", 3);

  acpt_u32 (out, ACPT_LAPIC);
  acpt_u32 (out, 1); /* 8259s are there too */
  for (guint i = 0; i < build->machine->n_vcpus; i++)
    {
      acpt_u8 (out, 0);
      acpt_u8 (out, 8);
      acpt_u8 (out, (guint8) i); /* as _UID in the SSDT */
      acpt_u8 (out, (guint8) vmm_cpuid_apic_id (i));
      acpt_u32 (out, 1); /* enabled */
    }
  acpt_u8 (out, 1);
  acpt_u8 (out, 12);
  acpt_u8 (out, 0); /* I/O APIC's id */
  acpt_u8 (out, 0);
  acpt_u32 (out, ACPT_IOAPIC);
  acpt_u32 (out, 0);
  acpt_override (out, 0, 2, 0);
  for (guint i = 0; i < G_N_ELEMENTS (pci_irqs); i++)
    acpt_override (out, pci_irqs[i], pci_irqs[i], 0x000d);
  acpt_u8 (out, 4); /* NMI at LINT1 of every processor */
  acpt_u8 (out, 6);
  acpt_u8 (out, 0xff);
  acpt_u16 (out, 0);
  acpt_u8 (out, 1);
  acpt_end (build, start);
  return start;
}

static gsize
acpt_add_mcfg (AcptBuild *build, guint64 base, guint64 size)
{
  GByteArray *out = build->tables;
  gsize start = acpt_begin (build, "MCFG", 1);

  acpt_zeros (out, 8);
  acpt_u64 (out, base);
  acpt_u16 (out, 0); /* segment */
  acpt_u8 (out, 0);  /* buses from, to */
  acpt_u8 (out, (guint8) (size / ACPT_ECAM_BUS_SIZE - 1));
  acpt_zeros (out, 4);
  acpt_end (build, start);
  return start;
}

/* Windows: the PM timer needs to be read only once. */
static gsize
acpt_add_waet (AcptBuild *build)
{
  gsize start = acpt_begin (build, "WAET", 1);

  acpt_u32 (build->tables, 1 << 1);
  acpt_end (build, start);
  return start;
}

static gboolean
acpt_has_tpm (VmmMachine *machine)
{
  return vmm_machine_find_class (machine, "tpm-crb") != NULL;
}

/* TCG ACPI §7.3, revision 4: a command response buffer, and room for a log of what was measured. */
static gsize
acpt_add_tpm2 (AcptBuild *build)
{
  GByteArray *out = build->tables;
  gsize start = acpt_begin (build, "TPM2", 4);

  acpt_u16 (out, 0); /* class: client */
  acpt_u16 (out, 0);
  acpt_u64 (out, ACPT_TPM + ACPT_TPM_CONTROL);
  acpt_u32 (out, 7);    /* start method: CRB */
  acpt_zeros (out, 12); /* its parameters: none */
  acpt_u32 (out, ACPT_TPM_LOG_SIZE);
  acpt_pointer_to (build, ACPT_FILE_TABLES, out->len, 8, ACPT_FILE_TPM_LOG);
  acpt_u64 (out, 0);
  acpt_end (build, start);
  return start;
}

/* The SSDT */

static void
aml_name_integer (GByteArray *out, const char *name, guint64 value)
{
  acpt_u8 (out, AML_NAME);
  acpt_text (out, name, 4);
  acpt_u8 (out, AML_QWORD);
  acpt_u64 (out, value);
}

/* PkgLength (§20.2.4), always in the form of three bytes, and content. */
static void
aml_package (GByteArray *out, const GByteArray *content)
{
  guint len = content->len + 3;

  g_assert (len < 1 << 20);
  acpt_u8 (out, (guint8) (0x80 | (len & 0x0f)));
  acpt_u8 (out, (guint8) (len >> 4));
  acpt_u8 (out, (guint8) (len >> 12));
  g_byte_array_append (out, content->data, content->len);
}

static void
aml_processor (GByteArray *out, guint index)
{
  static const char digits[] = "0123456789ABCDEF";
  const char name[4] = { 'C', '0', digits[index >> 4 & 15], digits[index & 15] };
  g_autoptr (GByteArray) body = g_byte_array_new ();

  acpt_text (body, name, 4);
  acpt_u8 (body, AML_NAME);
  acpt_text (body, "_HID", 4);
  acpt_u8 (body, AML_STRING);
  acpt_text (body, "ACPI0007", 9);
  acpt_u8 (body, AML_NAME);
  acpt_text (body, "_UID", 4);
  acpt_u8 (body, AML_DWORD);
  acpt_u32 (body, index);
  acpt_u8 (out, AML_EXT);
  acpt_u8 (out, AML_EXT_DEVICE);
  aml_package (out, body);
}

static void
aml_name_text (GByteArray *out, const char *name, const char *text)
{
  acpt_u8 (out, AML_NAME);
  acpt_text (out, name, 4);
  acpt_u8 (out, AML_STRING);
  acpt_text (out, text, (guint) strlen (text) + 1);
}

/* Device (TPM): the identifier that Windows and Linux know, and where it is (§6.4.3.4, 32-bit fixed memory; §6.4.2.9, end tag). */
static void
aml_tpm (GByteArray *out)
{
  g_autoptr (GByteArray) body = g_byte_array_new ();
  g_autoptr (GByteArray) buffer = g_byte_array_new ();

  acpt_u8 (buffer, AML_BYTE); /* BufferSize */
  acpt_u8 (buffer, 14);
  acpt_u8 (buffer, 0x86);
  acpt_u16 (buffer, 9);
  acpt_u8 (buffer, 1); /* may be written */
  acpt_u32 (buffer, ACPT_TPM);
  acpt_u32 (buffer, ACPT_TPM_SIZE);
  acpt_u8 (buffer, 0x79);
  acpt_u8 (buffer, 0);

  acpt_text (body, "TPM_", 4);
  aml_name_text (body, "_HID", "MSFT0101");
  aml_name_integer (body, "_UID", 1);
  aml_name_integer (body, "_STA", 0x0f);
  acpt_u8 (body, AML_NAME);
  acpt_text (body, "_CRS", 4);
  acpt_u8 (body, AML_BUFFER);
  aml_package (body, buffer);
  acpt_u8 (out, AML_EXT);
  acpt_u8 (out, AML_EXT_DEVICE);
  aml_package (out, body);
}

/* What lies above 4 GiB of memory BARs, and room around it; nothing if the firmware put none there. */
static void
acpt_find_high_window (VmmMachine *machine, guint64 *ret_base, guint64 *ret_size)
{
  guint64 first = G_MAXUINT64, last = 0;

  for (guint devfn = 0; devfn < 256; devfn++)
    {
      VmmPciDevice *dev = vmm_pci_bus_get_device (machine->pci_bus, devfn);

      for (guint i = 0; dev != NULL && i < 6; i++)
        {
          guint64 address;

          if ((dev->bars[i].flags & VMM_PCI_BAR_64) == 0)
            continue;
          address = vmm_pci_bus_config_read (machine->pci_bus, devfn, 0x10 + 4 * i, 4) & ~15u;
          address |= (guint64) vmm_pci_bus_config_read (machine->pci_bus, devfn, 0x14 + 4 * i, 4) << 32;
          if (address < ACPT_4G || address > G_MAXUINT64 / 2)
            continue;
          first = MIN (first, address);
          last = MAX (last, address + dev->bars[i].size);
        }
    }
  *ret_base = *ret_size = 0;
  if (last == 0)
    return;
  *ret_base = first & ~(ACPT_HIGH_ALIGN - 1);
  *ret_size = MAX ((last - *ret_base + ACPT_HIGH_ALIGN - 1) & ~(ACPT_HIGH_ALIGN - 1), ACPT_HIGH_WINDOW);
}

static guint64
acpt_find_isa_devices (VmmMachine *machine)
{
  static const char *const com_ports[] = { "com1", "com2", "com3", "com4" };
  guint64 devices = vmm_machine_find_class (machine, "i8042") != NULL ? ACPT_DEV_I8042 : 0;

  for (guint i = 0; i < machine->devices->len; i++)
    {
      VmmDevice *dev = machine->devices->pdata[i];

      if (!g_str_equal (dev->class->name, "serial"))
        continue;
      for (guint j = 0; j < G_N_ELEMENTS (com_ports); j++)
        if (g_strcmp0 (vmm_device_get_string (dev, "port"), com_ports[j]) == 0)
          devices |= (guint64) ACPT_DEV_COM1 << j;
    }
  return devices;
}

static gsize
acpt_add_ssdt (AcptBuild *build, guint64 ecam_base, guint64 ecam_size)
{
  g_autoptr (GByteArray) scope = g_byte_array_new ();
  guint64 high_base, high_size;
  gsize start = acpt_begin (build, "SSDT", 2);

  acpt_find_high_window (build->machine, &high_base, &high_size);
  acpt_text (scope, "\\_SB_", 5);
  aml_name_integer (scope, "LOMB", vmm_memory_get_low_size (build->machine->memory));
  aml_name_integer (scope, "ECMB", ecam_base);
  aml_name_integer (scope, "ECML", ecam_size);
  aml_name_integer (scope, "HIMB", high_base);
  aml_name_integer (scope, "HIML", high_size);
  aml_name_integer (scope, "DEVS", acpt_find_isa_devices (build->machine));
  for (guint i = 0; i < build->machine->n_vcpus; i++)
    aml_processor (scope, i);
  if (acpt_has_tpm (build->machine))
    aml_tpm (scope);
  acpt_u8 (build->tables, AML_SCOPE);
  aml_package (build->tables, scope);
  acpt_end (build, start);
  return start;
}

/* RSDT or XSDT: an array of pointers of @width bytes. */
static gsize
acpt_add_root (AcptBuild *build, const char *signature, guint8 width, const gsize *entries, guint n_entries)
{
  gsize start = acpt_begin (build, signature, 1);

  for (guint i = 0; i < n_entries; i++)
    {
      if (width == 4)
        acpt_u32 (build->tables, (guint32) entries[i]);
      else
        acpt_u64 (build->tables, entries[i]);
      acpt_pointer (build, ACPT_FILE_TABLES, start + ACPT_HEADER + i * width, width);
    }
  acpt_end (build, start);
  return start;
}

/* §5.2.5.3 */
static void
acpt_add_rsdp (AcptBuild *build, gsize rsdt, gsize xsdt)
{
  GByteArray *out = build->rsdp;

  acpt_text (out, "RSD PTR ", 8);
  acpt_u8 (out, 0); /* checksum of the first 20 bytes */
  acpt_text (out, "LODGE ", 6);
  acpt_u8 (out, 2); /* revision */
  acpt_u32 (out, (guint32) rsdt);
  acpt_u32 (out, 36);
  acpt_u64 (out, xsdt);
  acpt_u8 (out, 0); /* checksum of all */
  acpt_zeros (out, 3);
  acpt_pointer (build, ACPT_FILE_RSDP, 16, 4);
  acpt_pointer (build, ACPT_FILE_RSDP, 24, 8);
  acpt_checksum (build, ACPT_FILE_RSDP, 8, 0, 20);
  acpt_checksum (build, ACPT_FILE_RSDP, 32, 0, 36);
}

static void
acpt_build (AcptBuild *build, VmmMachine *machine)
{
  gsize roots[6], facs, dsdt, rsdt, xsdt;
  guint64 ecam_base, ecam_size;
  guint n = 0;

  build->machine = machine;
  build->tables = g_byte_array_new ();
  build->rsdp = g_byte_array_new ();
  build->loader = g_byte_array_new ();
  vmm_pci_bus_get_ecam (machine->pci_bus, &ecam_base, &ecam_size);

  acpt_allocate (build, ACPT_FILE_RSDP, 16, 2);
  acpt_allocate (build, ACPT_FILE_TABLES, 64, 1);
  if (acpt_has_tpm (machine))
    acpt_allocate (build, ACPT_FILE_TPM_LOG, 16, 1);
  facs = acpt_add_facs (build);
  dsdt = acpt_add_dsdt (build);
  roots[n++] = acpt_add_fadt (build, facs, dsdt);
  roots[n++] = acpt_add_ssdt (build, ecam_base, ecam_size);
  roots[n++] = acpt_add_madt (build);
  if (ecam_size != 0)
    roots[n++] = acpt_add_mcfg (build, ecam_base, ecam_size);
  roots[n++] = acpt_add_waet (build);
  if (acpt_has_tpm (machine))
    roots[n++] = acpt_add_tpm2 (build);
  rsdt = acpt_add_root (build, "RSDT", 4, roots, n);
  xsdt = acpt_add_root (build, "XSDT", 8, roots, n);
  acpt_add_rsdp (build, rsdt, xsdt);
  g_assert (build->tables->len <= ACPT_TABLES_SIZE && build->loader->len <= ACPT_LOADER_SIZE);
}

static GBytes *
acpt_make_tables (gpointer data)
{
  AcptBuild build;

  acpt_build (&build, data);
  g_byte_array_unref (build.rsdp);
  g_byte_array_unref (build.loader);
  return g_byte_array_free_to_bytes (build.tables);
}

static GBytes *
acpt_make_rsdp (gpointer data)
{
  AcptBuild build;

  acpt_build (&build, data);
  g_byte_array_unref (build.tables);
  g_byte_array_unref (build.loader);
  return g_byte_array_free_to_bytes (build.rsdp);
}

static GBytes *
acpt_make_loader (gpointer data)
{
  AcptBuild build;

  acpt_build (&build, data);
  g_byte_array_unref (build.tables);
  g_byte_array_unref (build.rsdp);
  return g_byte_array_free_to_bytes (build.loader);
}

void
vmm_acpi_install (VmmMachine *machine)
{
  vmm_fw_cfg_add_made_file (machine->fw_cfg, ACPT_FILE_RSDP, 36, acpt_make_rsdp, machine);
  vmm_fw_cfg_add_made_file (machine->fw_cfg, ACPT_FILE_TABLES, ACPT_TABLES_SIZE, acpt_make_tables, machine);
  vmm_fw_cfg_add_made_file (machine->fw_cfg, ACPT_FILE_LOADER, ACPT_LOADER_SIZE, acpt_make_loader, machine);
  if (acpt_has_tpm (machine))
    {
      g_autoptr (GBytes) log = g_bytes_new_take (g_malloc0 (ACPT_TPM_LOG_SIZE), ACPT_TPM_LOG_SIZE);

      vmm_fw_cfg_add_file (machine->fw_cfg, ACPT_FILE_TPM_LOG, log);
    }
}
