/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images are put together here after their specifications: Linux' boot.rst, Multiboot 0.6.96, the System V ABI, Xen's PVH. */
#include "firmware/boot-plan.h"

#include <elf.h>
#include <string.h>

#define MIB (1u << 20)

static void
put (GByteArray *image, gsize at, guint size, guint64 value)
{
  if (image->len < at + size)
    {
      gsize old = image->len;

      g_byte_array_set_size (image, (guint) (at + size));
      memset (image->data + old, 0, at + size - old);
    }
  value = GUINT64_TO_LE (value);
  memcpy (image->data + at, &value, size);
}

static guint32
get (const guint8 *data, gsize at, guint size)
{
  guint32 value = 0;

  memcpy (&value, data + at, size);
  return GUINT32_FROM_LE (value);
}

static VmmBootRequest
request_for (GByteArray *image)
{
  return (VmmBootRequest) { .kernel = image->data,
                            .kernel_len = image->len,
                            .name = "kernel",
                            .cmdline = "",
                            .memory_end = 63 * MIB };
}

static const VmmBootPiece *
piece_at (const VmmBootPlan *plan, guint32 address)
{
  for (guint i = 0; i < plan->pieces->len; i++)
    if (g_array_index (plan->pieces, VmmBootPiece, i).address == address)
      return &g_array_index (plan->pieces, VmmBootPiece, i);
  g_error ("nothing is loaded at %x", address);
}

static void
assert_refused (const VmmBootRequest *request, VmmError code, const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VmmBootPlan) plan = vmm_boot_plan_new (request, &error);

  g_assert_null (plan);
  g_assert_error (error, VMM_ERROR, (int) code);
  if (strstr (error->message, words) == NULL)
    g_error ("\"%s\" does not say \"%s\"", error->message, words);
}

static VmmBootPlan *
plan_for (const VmmBootRequest *request)
{
  g_autoptr (GError) error = NULL;
  VmmBootPlan *plan = vmm_boot_plan_new (request, &error);

  g_assert_no_error (error);
  return plan;
}

/* --- Linux --- */

static GByteArray *
make_linux (guint version, guint32 kernel_len)
{
  GByteArray *image = g_byte_array_new ();

  put (image, 0x1f1, 1, 3);                      /* setup_sects: 2048 bytes with the boot sector */
  put (image, 0x1f4, 4, (kernel_len + 15) / 16); /* syssize */
  put (image, 0x1fe, 2, 0xaa55);
  put (image, 0x200, 2, 0x66eb);
  put (image, 0x202, 4, 0x53726448);
  put (image, 0x206, 2, version);
  put (image, 0x211, 1, 0x01); /* LOADED_HIGH */
  put (image, 0x214, 4, 0x100000);
  put (image, 0x22c, 4, 0x7fffffff); /* initrd_addr_max */
  put (image, 0x238, 4, 2047);       /* cmdline_size */
  put (image, 0x258, 8, 0x1000000);  /* pref_address: 16 MiB */
  put (image, 0x260, 4, 0x800000);   /* init_size: 8 MiB */
  put (image, 2048 + kernel_len - 1, 1, 0x77);
  return image;
}

static void
test_linux (void)
{
  g_autoptr (GByteArray) image = make_linux (0x20f, 5000);
  VmmBootRequest request = request_for (image);
  const VmmBootModule initrd = { "initrd", 3000000 };
  g_autoptr (VmmBootPlan) plan = NULL;
  const VmmBootPiece *kernel, *setup, *cmdline, *ramdisk;
  const guint8 *bytes;

  request.cmdline = "console=ttyS0 vga=0x317 quiet";
  request.modules = &initrd;
  request.n_modules = 1;
  plan = plan_for (&request);
  g_assert_cmpuint (plan->kind, ==, ROM_KIND_LINUX);
  kernel = piece_at (plan, 0x100000);
  g_assert_cmpuint (kernel->source, ==, VMM_BOOT_FROM_KERNEL);
  g_assert_cmpuint (kernel->offset, ==, 2048);
  g_assert_cmpuint (kernel->len, ==, 5000);
  setup = piece_at (plan, ROM_LINUX_SETUP);
  g_assert_cmpuint (setup->len, ==, 2048);
  bytes = g_bytes_get_data (setup->bytes, NULL);
  g_assert_cmphex (bytes[0x210], ==, 0xff);
  g_assert_cmphex (bytes[0x211], ==, 0x81);
  g_assert_cmphex (get (bytes, 0x1fa, 2), ==, 0x317);
  g_assert_cmphex (get (bytes, 0x224, 2), ==, 0xde00); /* heap end E000, less 200 */
  cmdline = piece_at (plan, get (bytes, 0x228, 4));
  g_assert_cmpstr (g_bytes_get_data (cmdline->bytes, NULL), ==, request.cmdline);
  g_assert_cmpuint (get (bytes, 0x21c, 4), ==, 3000000);
  ramdisk = piece_at (plan, get (bytes, 0x218, 4));
  g_assert_cmpuint (ramdisk->source, ==, VMM_BOOT_FROM_MODULE);
  g_assert_cmpuint (ramdisk->address % 4096, ==, 0);
  g_assert_cmpuint (ramdisk->address + ramdisk->len, <=, request.memory_end);
  g_assert_cmpuint (ramdisk->address, >=, 0x1800000); /* the kernel unpacks itself below */
}

static void
test_linux_initrd_max (void)
{
  g_autoptr (GByteArray) image = make_linux (0x203, 5000);
  VmmBootRequest request = request_for (image);
  const VmmBootModule initrd = { "initrd", 4096 };
  g_autoptr (VmmBootPlan) plan = NULL;

  put (image, 0x22c, 4, 0x1ffffff);
  request.modules = &initrd;
  request.n_modules = 1;
  plan = plan_for (&request);
  piece_at (plan, 0x1fff000); /* its last byte is the highest allowed */
}

static void
test_linux_refuses (void)
{
  g_autoptr (GByteArray) old = make_linux (0x201, 5000);
  g_autoptr (GByteArray) low = make_linux (0x202, 5000);
  g_autoptr (GByteArray) cut = make_linux (0x20f, 5000);
  g_autoptr (GByteArray) good = make_linux (0x20f, 5000);
  g_autofree char *cmdline = g_strnfill (2048, 'x');
  VmmBootRequest request = request_for (old);
  VmmBootModule modules[] = { { "initrd", 60 * MIB }, { "more", 1 } };

  assert_refused (&request, VMM_ERROR_UNSUPPORTED, "2.01");
  low->data[0x211] = 0;
  request = request_for (low);
  assert_refused (&request, VMM_ERROR_UNSUPPORTED, "zImage");
  request = request_for (cut);
  request.kernel_len -= 16;
  assert_refused (&request, VMM_ERROR_CORRUPT, "truncated");
  request.kernel_len = 2048;
  assert_refused (&request, VMM_ERROR_CORRUPT, "truncated");
  request = request_for (good);
  request.cmdline = cmdline;
  assert_refused (&request, VMM_ERROR_INVALID_CONFIG, "2047");
  request.cmdline = "";
  request.modules = modules;
  request.n_modules = 1;
  assert_refused (&request, VMM_ERROR_INVALID_CONFIG, "initrd");
  modules[0].size = 100;
  request.n_modules = 2;
  assert_refused (&request, VMM_ERROR_INVALID_CONFIG, "one initrd");
  request.n_modules = 0;
  request.memory_end = MIB;
  assert_refused (&request, VMM_ERROR_INVALID_CONFIG, "memory");
}

/* --- ELF --- */

typedef struct {
  guint32 type;
  guint64 offset, vaddr, paddr, filesz, memsz;
} Header;

static GByteArray *
make_elf (gboolean is_64, guint64 entry, const Header *headers, guint n_headers)
{
  GByteArray *image = g_byte_array_new ();
  gsize at = is_64 ? sizeof (Elf64_Ehdr) : sizeof (Elf32_Ehdr);

  put (image, 0, 4, 0x464c457f);
  put (image, 4, 1, is_64 ? 2 : 1);
  put (image, 5, 1, 1);
  put (image, 16, 2, ET_EXEC);
  put (image, 18, 2, is_64 ? 62 : 3);
  put (image, 24, is_64 ? 8 : 4, entry);
  put (image, is_64 ? 32 : 28, is_64 ? 8 : 4, at);
  put (image, is_64 ? 54 : 42, 2, is_64 ? 56 : 32);
  put (image, is_64 ? 56 : 44, 2, n_headers);
  put (image, 4095, 1, 0); /* one page in all */
  for (guint i = 0; i < n_headers; i++, at += is_64 ? 56 : 32)
    {
      put (image, at, 4, headers[i].type);
      put (image, at + (is_64 ? 8 : 4), is_64 ? 8 : 4, headers[i].offset);
      put (image, at + (is_64 ? 16 : 8), is_64 ? 8 : 4, headers[i].vaddr);
      put (image, at + (is_64 ? 24 : 12), is_64 ? 8 : 4, headers[i].paddr);
      put (image, at + (is_64 ? 32 : 16), is_64 ? 8 : 4, headers[i].filesz);
      put (image, at + (is_64 ? 40 : 20), is_64 ? 8 : 4, headers[i].memsz);
    }
  return image;
}

/* Xen's note: the PVH entry. */
static void
put_note (GByteArray *image, gsize at, guint32 type, guint64 entry, guint entry_size)
{
  put (image, at, 4, 4);
  put (image, at + 4, 4, entry_size);
  put (image, at + 8, 4, type);
  put (image, at + 12, 4, 0x006e6558); /* "Xen" */
  put (image, at + 16, entry_size, entry);
}

static const Header loads[] = {
  { PT_LOAD, 0x400, 0xc0100000, 0x100000, 0x200, 0x3000 },
  { PT_LOAD, 0x800, 0xc0110000, 0x110000, 0x100, 0x100 },
  { PT_NOTE, 0x600, 0, 0, 64, 64 },
};

static void
test_pvh (void)
{
  for (guint is_64 = 0; is_64 < 2; is_64++)
    {
      g_autoptr (GByteArray) image = make_elf (is_64, 0xc0100000, loads, 3);
      VmmBootRequest request = request_for (image);
      const VmmBootModule modules[] = { { "initrd", 5000 }, { "second with words", 4096 } };
      g_autoptr (VmmBootPlan) plan = NULL;
      const VmmBootPiece *first, *info;
      const guint8 *bytes;
      guint32 list;

      put_note (image, 0x600, 1, 0xbad, 4); /* another note first */
      put_note (image, 0x614, 18, 0x100040, is_64 ? 8 : 4);
      request.cmdline = "root=/dev/vda";
      request.modules = modules;
      request.n_modules = 2;
      plan = plan_for (&request);
      g_assert_cmpuint (plan->kind, ==, ROM_KIND_PVH);
      g_assert_cmphex (plan->entry, ==, 0x100040);
      first = piece_at (plan, 0x100000);
      g_assert_cmpuint (first->offset, ==, 0x400);
      g_assert_cmpuint (first->len, ==, 0x200);
      g_assert_cmpuint (first->memory_len, ==, 0x3000);
      g_assert_cmpuint (piece_at (plan, 0x110000)->len, ==, 0x100);
      info = piece_at (plan, ROM_INFO);
      g_assert_cmpuint (plan->info_len, ==, info->len);
      bytes = g_bytes_get_data (info->bytes, NULL);
      g_assert_cmphex (get (bytes, 0, 4), ==, 0x336ec578);
      g_assert_cmpuint (get (bytes, 4, 4), ==, 1);
      g_assert_cmpuint (get (bytes, 12, 4), ==, 2);
      list = get (bytes, 16, 4) - ROM_INFO;
      g_assert_cmpuint (piece_at (plan, get (bytes, list, 4))->module, ==, 0);
      g_assert_cmpuint (get (bytes, list + 8, 4), ==, 5000);
      g_assert_cmpuint (piece_at (plan, get (bytes, list + 32, 4))->module, ==, 1);
      g_assert_cmpstr ((const char *) bytes + get (bytes, list + 48, 4) - ROM_INFO, ==, "second with words");
      g_assert_cmpstr ((const char *) bytes + get (bytes, 24, 4) - ROM_INFO, ==, "root=/dev/vda");
    }
}

static void
test_elf_refuses (void)
{
  const Header too_far = { PT_LOAD, 0xf00, 0, 0x100000, 0x101, 0x101 };
  const Header shrinks = { PT_LOAD, 0, 0, 0x100000, 0x101, 0x100 };
  const Header in_vga = { PT_LOAD, 0, 0, 0x9f000, 0x800, 0x2000 };
  const Header too_big = { PT_LOAD, 0, 0, 0x100000, 0x100, 64 * MIB };
  const Header wraps = { PT_LOAD, 0, 0, G_MAXUINT64 - 10, 0x100, 0x100 };
  const Header huge_offset = { PT_LOAD, G_MAXUINT64, 0, 0x100000, 1, 1 };
  const Header high = { PT_LOAD, 0, 0, G_GUINT64_CONSTANT (0x100000000), 0x100, 0x100 };
  const struct {
    const Header *header;
    VmmError code;
    const char *words;
  } cases[] = { { &too_far, VMM_ERROR_CORRUPT, "end of the file" }, { &shrinks, VMM_ERROR_CORRUPT, "longer" },
                { &in_vga, VMM_ERROR_UNSUPPORTED, "0x9f000" },      { &too_big, VMM_ERROR_INVALID_CONFIG, "memory" },
                { &wraps, VMM_ERROR_CORRUPT, "address space" },     { &huge_offset, VMM_ERROR_CORRUPT, "end of the file" },
                { &high, VMM_ERROR_UNSUPPORTED, "0x100000000" } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const Header headers[] = { *cases[i].header, { PT_NOTE, 0x600, 0, 0, 64, 64 } };
      g_autoptr (GByteArray) image = make_elf (TRUE, 0, headers, 2);
      VmmBootRequest request = request_for (image);

      put_note (image, 0x600, 18, 0x100000, 4);
      assert_refused (&request, cases[i].code, cases[i].words);
    }
}

static void
test_elf_without_entry (void)
{
  g_autoptr (GByteArray) image = make_elf (TRUE, 0x100000, loads, 2);
  VmmBootRequest request = request_for (image);

  assert_refused (&request, VMM_ERROR_UNSUPPORTED, "neither");
  image->data[18] = 0xb7; /* AArch64 */
  assert_refused (&request, VMM_ERROR_UNSUPPORTED, "another kind of processor");
}

/* Whatever is cut off or changed: an error or a plan, and no read outside (the sanitizer looks). */
static void
test_damage (void)
{
  g_autoptr (GByteArray) elf = make_elf (FALSE, 0x100000, loads, 3);
  g_autoptr (GByteArray) bzimage = make_linux (0x20f, 700);
  GByteArray *images[] = { elf, bzimage };

  put_note (elf, 0x600, 18, 0x100000, 4);
  put (elf, 0x100, 4, 0x1badb002);
  for (guint i = 0; i < G_N_ELEMENTS (images); i++)
    for (gsize len = 0; len < images[i]->len; len += 7)
      {
        g_autofree guint8 *copy = g_memdup2 (images[i]->data, len);
        VmmBootRequest request = request_for (images[i]);
        g_autoptr (VmmBootPlan) plan = NULL;

        request.kernel = copy;
        request.kernel_len = len;
        plan = vmm_boot_plan_new (&request, NULL);
        if (plan != NULL)
          for (guint p = 0; p < plan->pieces->len; p++)
            g_assert_cmpuint (g_array_index (plan->pieces, VmmBootPiece, p).address, <, request.memory_end);
      }
}

/* --- Multiboot --- */

static void
test_multiboot_elf (void)
{
  g_autoptr (GByteArray) image = make_elf (FALSE, 0xc0100010, loads, 2);
  VmmBootRequest request = request_for (image);
  const VmmBootModule modules[] = { { "one a b", 5000 }, { "two", 10 } };
  g_autoptr (VmmBootPlan) plan = NULL;
  const guint8 *bytes;
  guint32 list;

  put (image, 0x400, 4, 0x1badb002);
  put (image, 0x404, 4, 3);
  put (image, 0x408, 4, (guint32) - (0x1badb002 + 3));
  request.cmdline = "x=1";
  request.modules = modules;
  request.n_modules = 2;
  plan = plan_for (&request);
  g_assert_cmpuint (plan->kind, ==, ROM_KIND_MULTIBOOT);
  g_assert_cmphex (plan->entry, ==, 0x100010); /* physical */
  bytes = g_bytes_get_data (piece_at (plan, ROM_INFO)->bytes, NULL);
  g_assert_cmphex (get (bytes, 0, 4), ==, 1 << 2 | 1 << 3 | 1 << 9); /* memory and map are the ROM's to add */
  g_assert_cmpstr ((const char *) bytes + get (bytes, 16, 4) - ROM_INFO, ==, "kernel x=1");
  g_assert_cmpuint (get (bytes, 20, 4), ==, 2);
  list = get (bytes, 24, 4) - ROM_INFO;
  /* page aligned, after the kernel */
  g_assert_cmphex (get (bytes, list, 4), ==, 0x111000);
  g_assert_cmphex (get (bytes, list + 4, 4), ==, 0x111000 + 5000);
  g_assert_cmpstr ((const char *) bytes + get (bytes, list + 8, 4) - ROM_INFO, ==, "one a b");
  g_assert_cmphex (get (bytes, list + 16, 4), ==, 0x113000);
  g_assert_cmpuint (piece_at (plan, 0x113000)->module, ==, 1);
  g_assert_cmpstr ((const char *) bytes + get (bytes, 64, 4) - ROM_INFO, ==, "Lodge");
}

static GByteArray *
make_flat (guint32 load, guint32 load_end, guint32 bss_end)
{
  GByteArray *image = g_byte_array_new ();
  const guint32 words[] = { 0x1badb002, 0x00010000, (guint32) - (0x1badb002 + 0x00010000), load + 0x20, load, load_end,
                            bss_end,    load + 0x60 };

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    put (image, 0x40 + i * 4, 4, words[i]); /* 20 bytes before it belong to another format */
  put (image, 0x3ff, 1, 0);
  return image;
}

static void
test_multiboot_addresses (void)
{
  g_autoptr (GByteArray) image = make_flat (0x200000, 0, 0x205000);
  VmmBootRequest request = request_for (image);
  g_autoptr (VmmBootPlan) plan = plan_for (&request);
  const VmmBootPiece *kernel = piece_at (plan, 0x200000);

  g_assert_cmphex (plan->entry, ==, 0x200060);
  g_assert_cmphex (kernel->offset, ==, 0x20);
  g_assert_cmphex (kernel->len, ==, 0x400 - 0x20); /* load_end 0: all of the file */
  g_assert_cmphex (kernel->memory_len, ==, 0x5000);
}

static void
test_multiboot_refuses (void)
{
  g_autoptr (GByteArray) image = make_flat (0x200000, 0x300000, 0);
  VmmBootRequest request = request_for (image);

  assert_refused (&request, VMM_ERROR_CORRUPT, "truncated");
  put (image, 0x40 + 16, 4, 0x200030); /* header before load address */
  assert_refused (&request, VMM_ERROR_CORRUPT, "no sense");
  put (image, 0x44, 4, 0x00010008); /* a bit that nobody knows */
  put (image, 0x48, 4, (guint32) - (0x1badb002 + 0x00010008));
  assert_refused (&request, VMM_ERROR_UNSUPPORTED, "flags");
  put (image, 0x44, 4, 0);
  put (image, 0x48, 4, (guint32) -0x1badb002);
  assert_refused (&request, VMM_ERROR_CORRUPT, "no ELF");
  put (image, 0x48, 4, 0); /* wrong checksum: no header at all */
  assert_refused (&request, VMM_ERROR_UNSUPPORTED, "no kernel");
}

static void
test_long_cmdline (void)
{
  g_autoptr (GByteArray) image = make_flat (0x200000, 0, 0);
  g_autofree char *cmdline = g_strnfill (50000, 'x');
  VmmBootRequest request = request_for (image);

  request.cmdline = cmdline;
  assert_refused (&request, VMM_ERROR_INVALID_CONFIG, "command line");
}

static void
test_other_files (void)
{
  static const char *const files[] = { "", "#!/bin/sh\n",
                                       "\x7f"
                                       "ELF",
                                       "MZ" };

  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      VmmBootRequest request = { .kernel = (const guint8 *) files[i],
                                 .kernel_len = strlen (files[i]),
                                 .name = "k",
                                 .cmdline = "",
                                 .memory_end = 63 * MIB };
      g_autoptr (GError) error = NULL;

      g_assert_null (vmm_boot_plan_new (&request, &error));
      g_assert_nonnull (error);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/boot-plan/linux/places-all-parts", test_linux);
  g_test_add_func ("/boot-plan/linux/honours-initrd-addr-max", test_linux_initrd_max);
  g_test_add_func ("/boot-plan/linux/refuses-with-reason", test_linux_refuses);
  g_test_add_func ("/boot-plan/pvh/places-all-parts", test_pvh);
  g_test_add_func ("/boot-plan/elf/refuses-with-reason", test_elf_refuses);
  g_test_add_func ("/boot-plan/elf/needs-an-entry", test_elf_without_entry);
  g_test_add_func ("/boot-plan/multiboot/elf", test_multiboot_elf);
  g_test_add_func ("/boot-plan/multiboot/addresses-in-header", test_multiboot_addresses);
  g_test_add_func ("/boot-plan/multiboot/refuses-with-reason", test_multiboot_refuses);
  g_test_add_func ("/boot-plan/multiboot/refuses-long-command-lines", test_long_cmdline);
  g_test_add_func ("/boot-plan/any/truncation-is-harmless", test_damage);
  g_test_add_func ("/boot-plan/any/other-files-are-refused", test_other_files);
  return g_test_run ();
}
