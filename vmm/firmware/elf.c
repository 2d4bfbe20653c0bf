/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ELF images of kernels: what to load, and Xen's note that tells the PVH entry. */
#include "firmware/boot-plan.h"

#include <elf.h>
#include <string.h>

#define ELFI_NOTE_PHYS32_ENTRY 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define ELFI_MAX_HEADERS 256

static gboolean
elfi_fail (GError **error, const char *why)
{
  g_set_error (error, VMM_ERROR, VMM_ERROR_CORRUPT, "is a damaged ELF image: %s", why);
  return FALSE;
}

gboolean
vmm_elf_is_image (const guint8 *data, gsize len)
{
  return len >= SELFMAG && memcmp (data, ELFMAG, SELFMAG) == 0;
}

/* Finds Xen's note in [data, data + len). */
static void
elfi_read_notes (const guint8 *data, gsize len, VmmElf *elf)
{
  gsize at = 0;

  while (len - at >= sizeof (Elf32_Nhdr))
    {
      Elf32_Nhdr note; /* the same in both classes */
      guint64 name_len, desc_len;

      memcpy (&note, data + at, sizeof note);
      at += sizeof note;
      name_len = (GUINT32_FROM_LE (note.n_namesz) + G_GUINT64_CONSTANT (3)) & ~G_GUINT64_CONSTANT (3);
      desc_len = (GUINT32_FROM_LE (note.n_descsz) + G_GUINT64_CONSTANT (3)) & ~G_GUINT64_CONSTANT (3);
      if (name_len > len - at || desc_len > len - at - name_len)
        return;
      if (GUINT32_FROM_LE (note.n_namesz) == 4 && memcmp (data + at, "Xen", 4) == 0
          && GUINT32_FROM_LE (note.n_type) == ELFI_NOTE_PHYS32_ENTRY
          && (GUINT32_FROM_LE (note.n_descsz) == 4 || GUINT32_FROM_LE (note.n_descsz) == 8))
        {
          guint64 entry = 0;

          memcpy (&entry, data + at + name_len, GUINT32_FROM_LE (note.n_descsz));
          elf->has_pvh = TRUE;
          elf->pvh_entry = GUINT64_FROM_LE (entry);
        }
      at += (gsize) (name_len + desc_len);
    }
}

static gboolean
elfi_add_header (const guint8 *data, gsize len, const Elf64_Phdr *header, VmmElf *elf, GError **error)
{
  if (header->p_type != PT_LOAD && header->p_type != PT_NOTE)
    return TRUE;
  if (header->p_offset > len || header->p_filesz > len - header->p_offset)
    return elfi_fail (error, "a segment lies beyond the end of the file");
  if (header->p_type == PT_NOTE)
    {
      elfi_read_notes (data + header->p_offset, header->p_filesz, elf);
      return TRUE;
    }
  if (header->p_filesz > header->p_memsz)
    return elfi_fail (error, "a segment is longer in the file than in memory");
  if (header->p_paddr + header->p_memsz < header->p_paddr)
    return elfi_fail (error, "a segment goes beyond the end of the address space");
  if (elf->n_loads == VMM_ELF_MAX_SEGMENTS)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "has more than %d segments to load", VMM_ELF_MAX_SEGMENTS);
      return FALSE;
    }
  elf->loads[elf->n_loads++] = (VmmElfSegment) { .offset = header->p_offset,
                                                 .file_len = header->p_filesz,
                                                 .address = header->p_paddr,
                                                 .virtual_address = header->p_vaddr,
                                                 .memory_len = header->p_memsz };
  return TRUE;
}

static void
elfi_widen (const Elf32_Phdr *narrow, Elf64_Phdr *wide)
{
  *wide = (Elf64_Phdr) { .p_type = GUINT32_FROM_LE (narrow->p_type),
                         .p_offset = GUINT32_FROM_LE (narrow->p_offset),
                         .p_vaddr = GUINT32_FROM_LE (narrow->p_vaddr),
                         .p_paddr = GUINT32_FROM_LE (narrow->p_paddr),
                         .p_filesz = GUINT32_FROM_LE (narrow->p_filesz),
                         .p_memsz = GUINT32_FROM_LE (narrow->p_memsz) };
}

gboolean
vmm_elf_parse (const guint8 *data, gsize len, VmmElf *ret_elf, GError **error)
{
  VmmElf elf = { 0 };
  guint64 table;
  guint n_headers, entry_size;

  if (len < sizeof (Elf32_Ehdr) || !vmm_elf_is_image (data, len))
    return elfi_fail (error, "it is too short");
  if (data[EI_DATA] != ELFDATA2LSB || (data[EI_CLASS] != ELFCLASS32 && data[EI_CLASS] != ELFCLASS64))
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "is an ELF image for another kind of processor");
      return FALSE;
    }
  elf.is_64 = data[EI_CLASS] == ELFCLASS64;
  if (elf.is_64)
    {
      Elf64_Ehdr header;

      if (len < sizeof header)
        return elfi_fail (error, "it is too short");
      memcpy (&header, data, sizeof header);
      elf.entry = GUINT64_FROM_LE (header.e_entry);
      table = GUINT64_FROM_LE (header.e_phoff);
      n_headers = GUINT16_FROM_LE (header.e_phnum);
      entry_size = GUINT16_FROM_LE (header.e_phentsize);
      if (GUINT16_FROM_LE (header.e_machine) != EM_X86_64)
        entry_size = 0;
    }
  else
    {
      Elf32_Ehdr header;

      memcpy (&header, data, sizeof header);
      elf.entry = GUINT32_FROM_LE (header.e_entry);
      table = GUINT32_FROM_LE (header.e_phoff);
      n_headers = GUINT16_FROM_LE (header.e_phnum);
      entry_size = GUINT16_FROM_LE (header.e_phentsize);
      if (GUINT16_FROM_LE (header.e_machine) != EM_386)
        entry_size = 0;
    }
  if (entry_size == 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "is an ELF image for another kind of processor");
      return FALSE;
    }
  if (entry_size != (elf.is_64 ? sizeof (Elf64_Phdr) : sizeof (Elf32_Phdr)) || n_headers > ELFI_MAX_HEADERS)
    return elfi_fail (error, "its program headers make no sense");
  if (table > len || (guint64) n_headers * entry_size > len - table)
    return elfi_fail (error, "its program headers lie beyond the end of the file");

  for (guint i = 0; i < n_headers; i++)
    {
      Elf64_Phdr wide;

      if (elf.is_64)
        {
          memcpy (&wide, data + table + i * sizeof wide, sizeof wide);
          wide.p_type = GUINT32_FROM_LE (wide.p_type);
          wide.p_offset = GUINT64_FROM_LE (wide.p_offset);
          wide.p_vaddr = GUINT64_FROM_LE (wide.p_vaddr);
          wide.p_paddr = GUINT64_FROM_LE (wide.p_paddr);
          wide.p_filesz = GUINT64_FROM_LE (wide.p_filesz);
          wide.p_memsz = GUINT64_FROM_LE (wide.p_memsz);
        }
      else
        {
          Elf32_Phdr narrow;

          memcpy (&narrow, data + table + i * sizeof narrow, sizeof narrow);
          elfi_widen (&narrow, &wide);
        }
      if (!elfi_add_header (data, len, &wide, &elf, error))
        return FALSE;
    }
  if (elf.n_loads == 0)
    return elfi_fail (error, "there is nothing to load in it");
  *ret_elf = elf;
  return TRUE;
}

gboolean
vmm_elf_plan_segments (VmmBootPlan *plan, const VmmBootRequest *request, const VmmElf *elf, GError **error)
{
  for (guint i = 0; i < elf->n_loads; i++)
    {
      const VmmElfSegment *load = &elf->loads[i];

      if (!vmm_boot_plan_add_kernel (plan, request, load->offset, load->file_len, load->address, load->memory_len, error))
        return FALSE;
    }
  return TRUE;
}
