/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Intel High Definition Audio controller, that of the ICH6, with one codec (hda-codec.c).
 * Spec: High Definition Audio 1.0a §3 (registers), §4 (streams, CORB, RIRB); ICH6 datasheet §18 (IDs, SSYNC at 34). Left out: wake-up
 *   from D3, stripes, traffic priority, flush of FIFOs, unsolicited responses; CORB and RIRB have 256 entries only.
 *
 * Theory of operation. Streams 0-3 are inputs, 4-7 outputs. A running stream's position is what the machine's clock says: (now - start) *
 * rate, and nothing else. Whenever somebody may look (a timer at the end of each buffer entry, at most 5 ms apart; a read of a position)
 * the stream is brought up to now: the bytes that fell due are fetched from the guest's buffer and handed to the codec, or taken from it,
 * and LPIB, the position buffer and the interrupt status follow. The host's sound system has no say in this: what it has not taken
 * or brought in time is lost or silent. A host that was away for too long finds the surplus dropped, with the clock put right.
 *
 * Verbs are answered at once, on the vCPU's thread: a full CORB is 255 of them. */
#include "audio/hda-codec.h"
#include "core/clock.h"
#include "pci/pci.h"

#include <string.h>

#define HDA_BAR_SIZE 0x4000
#define HDA_INPUTS 4
#define HDA_STREAMS 8
#define HDA_RING_ENTRIES 256u

/* §3.3: registers, by the 32-bit word that they lie in */
#define HDA_GCAP 0x00 /* and VMIN 02, VMAJ 03 */
#define HDA_GCAP_VALUE (0x4401u | 0x01000000u)
#define HDA_OUTPAY 0x04 /* and INPAY 06 */
#define HDA_OUTPAY_VALUE (0x3cu | 0x1du << 16)
#define HDA_GCTL 0x08
#define HDA_GCTL_CRST 0x001u
#define HDA_GCTL_FCNTRL 0x002u
#define HDA_GCTL_UNSOL 0x100u
#define HDA_WAKEEN 0x0c /* and STATESTS 0E */
#define HDA_GSTS 0x10
#define HDA_STRMPAY 0x18 /* OUTSTRMPAY, INSTRMPAY */
#define HDA_STRMPAY_VALUE (0x30u | 0x18u << 16)
#define HDA_INTCTL 0x20
#define HDA_INTSTS 0x24
#define HDA_INT_GLOBAL 0x80000000u
#define HDA_INT_CONTROLLER 0x40000000u
#define HDA_WALCLK 0x30
#define HDA_SSYNC_ICH6 0x34
#define HDA_SSYNC 0x38
#define HDA_CORBLBASE 0x40
#define HDA_CORBUBASE 0x44
#define HDA_CORBWP 0x48 /* and CORBRP 4A */
#define HDA_CORBRP_RESET 0x8000u
#define HDA_CORBCTL 0x4c /* and CORBSTS 4D, CORBSIZE 4E */
#define HDA_CORBCTL_CMEIE 0x01u
#define HDA_CORBCTL_RUN 0x02u
#define HDA_CORBSTS_CMEI 0x01u
#define HDA_RING_SIZE 0x42u /* 256 entries, the only size */
#define HDA_RIRBLBASE 0x50
#define HDA_RIRBUBASE 0x54
#define HDA_RIRBWP 0x58 /* and RINTCNT 5A */
#define HDA_RIRBWP_RESET 0x8000u
#define HDA_RIRBCTL 0x5c /* and RIRBSTS 5D, RIRBSIZE 5E */
#define HDA_RIRBCTL_INT 0x01u
#define HDA_RIRBCTL_RUN 0x02u
#define HDA_RIRBCTL_OVERRUN_INT 0x04u
#define HDA_RIRBSTS_INT 0x01u
#define HDA_RIRBSTS_OVERRUN 0x04u
#define HDA_ICOI 0x60
#define HDA_ICII 0x64
#define HDA_ICIS 0x68
#define HDA_ICIS_BUSY 0x1u
#define HDA_ICIS_VALID 0x2u
#define HDA_DPLBASE 0x70
#define HDA_DPLBASE_ENABLE 0x1u
#define HDA_DPUBASE 0x74
/* A stream's, from 80 + 20 n */
#define HDA_SD_BASE 0x80
#define HDA_SD_SIZE 0x20
#define HDA_SD_CTL 0x00 /* and STS 03 */
#define HDA_SD_SRST 0x000001u
#define HDA_SD_RUN 0x000002u
#define HDA_SD_IOCE 0x000004u
#define HDA_SD_FEIE 0x000008u
#define HDA_SD_DEIE 0x000010u
#define HDA_SD_CTL_WRITABLE 0xf7001fu
#define HDA_SD_STS_BCIS 0x04u
#define HDA_SD_STS_FIFOE 0x08u
#define HDA_SD_STS_DESE 0x10u
#define HDA_SD_STS_FIFORDY 0x20u
#define HDA_SD_STS_W1C 0x1cu
#define HDA_SD_LPIB 0x04
#define HDA_SD_CBL 0x08
#define HDA_SD_LVI 0x0c   /* and FIFOW 0E */
#define HDA_SD_FIFOS 0x10 /* and FMT 12 */
#define HDA_SD_FMT_WRITABLE 0x7f7fu
#define HDA_SD_BDPL 0x18
#define HDA_SD_BDPU 0x1c
/* The same positions again, for programs without other rights (§3.3.46) */
#define HDA_WALCLK_ALIAS 0x2030
#define HDA_LPIB_ALIAS 0x2084

#define HDA_BDL_IOC 0x1u
#define HDA_TICK_NS 5000000
#define HDA_MIN_TICK_NS 1000000
#define HDA_NS_PER_S G_GINT64_CONSTANT (1000000000)
/* Of one catching up: more than any ordinary delay brings. */
#define HDA_MAX_BYTES (512u << 10)
#define HDA_MAX_ENTRIES 1024u

typedef struct {
  guint32 ctl; /* 24 bits */
  guint32 lpib, cbl, bdpl, bdpu;
  guint16 lvi, fmt;
  guint8 sts;
  guint8 entry;  /* of the buffer list: where the stream is */
  guint8 halted; /* a bad descriptor: until the stream is stopped */
  guint8 reserved;
  guint32 entry_done;  /* bytes of the entry that are done */
  guint32 frames_done; /* since start_ns */
  gint64 start_ns;     /* of the machine's clock */
} HdaStreamRegs;

typedef struct {
  guint32 gctl;
  guint16 wakeen, statests;
  guint16 gsts;
  guint16 rintcnt;
  guint32 intctl;
  guint32 ssync;
  guint32 corblbase, corbubase, rirblbase, rirbubase;
  guint8 corbwp, corbrp, corbctl, corbsts;
  guint8 corbrp_reset; /* bit 15 of CORBRP, which reads back */
  guint8 rirbwp, rirbctl, rirbsts;
  guint16 rirb_count; /* responses since the last interrupt */
  guint16 icis;
  guint32 icoi, icii;
  guint32 dplbase, dpubase;
  guint32 pending; /* interrupt causes that a message was sent for */
  gint64 wall_start_ns;
  HdaStreamRegs stream[HDA_STREAMS];
  HdaCodecRegs codec;
} HdaRegs;

/* A descriptor as copied from guest memory (§3.6.3). */
typedef struct {
  guint64 address;
  guint32 length, flags;
} HdaEntry;
G_STATIC_ASSERT (sizeof (HdaEntry) == 16);

typedef struct {
  VmmPciDevice pci;
  HdaRegs regs;
  HdaCodec codec;
  VmmTimer timer[HDA_STREAMS];
  HdaEntry entry[HDA_STREAMS]; /* the current one, when entry_valid */
  gboolean entry_valid[HDA_STREAMS];
  gboolean quiesced;
} Hda;

#define HDA_STREAM_FIELDS(n)                                                                                                \
  VMM_FIELD_MAX (HdaRegs, stream[n].ctl, HDA_SD_CTL_WRITABLE), VMM_FIELD (HdaRegs, stream[n].lpib),                         \
      VMM_FIELD (HdaRegs, stream[n].cbl), VMM_FIELD (HdaRegs, stream[n].bdpl), VMM_FIELD (HdaRegs, stream[n].bdpu),         \
      VMM_FIELD_MAX (HdaRegs, stream[n].lvi, 0xff), VMM_FIELD (HdaRegs, stream[n].fmt), VMM_FIELD (HdaRegs, stream[n].sts), \
      VMM_FIELD (HdaRegs, stream[n].entry), VMM_FIELD_MAX (HdaRegs, stream[n].halted, 1),                                   \
      VMM_FIELD_NOT_SAVED (HdaRegs, stream[n].reserved, "padding"), VMM_FIELD (HdaRegs, stream[n].entry_done),              \
      VMM_FIELD (HdaRegs, stream[n].frames_done), VMM_FIELD (HdaRegs, stream[n].start_ns)
#define HDA_CONVERTER_FIELDS(n)                                                                                                   \
  VMM_FIELD (HdaRegs, codec.converter[n].format), VMM_FIELD_MAX (HdaRegs, codec.converter[n].tag, HDA_CODEC_STREAMS - 1),         \
      VMM_FIELD_MAX (HdaRegs, codec.converter[n].channel, 15), VMM_FIELD_ARRAY (HdaRegs, codec.converter[n].gain),                \
      VMM_FIELD (HdaRegs, codec.converter[n].pin_control), VMM_FIELD_NOT_SAVED (HdaRegs, codec.converter[n].reserved, "padding"), \
      VMM_FIELD (HdaRegs, codec.converter[n].pin_config)

static const VmmField hda_fields[] = {
  VMM_FIELD (HdaRegs, gctl),
  VMM_FIELD (HdaRegs, wakeen),
  VMM_FIELD (HdaRegs, statests),
  VMM_FIELD (HdaRegs, gsts),
  VMM_FIELD_MAX (HdaRegs, rintcnt, 0xff),
  VMM_FIELD (HdaRegs, intctl),
  VMM_FIELD (HdaRegs, ssync),
  VMM_FIELD (HdaRegs, corblbase),
  VMM_FIELD (HdaRegs, corbubase),
  VMM_FIELD (HdaRegs, rirblbase),
  VMM_FIELD (HdaRegs, rirbubase),
  VMM_FIELD (HdaRegs, corbwp),
  VMM_FIELD (HdaRegs, corbrp),
  VMM_FIELD (HdaRegs, corbctl),
  VMM_FIELD (HdaRegs, corbsts),
  VMM_FIELD_MAX (HdaRegs, corbrp_reset, 1),
  VMM_FIELD (HdaRegs, rirbwp),
  VMM_FIELD (HdaRegs, rirbctl),
  VMM_FIELD (HdaRegs, rirbsts),
  VMM_FIELD (HdaRegs, rirb_count),
  VMM_FIELD (HdaRegs, icis),
  VMM_FIELD (HdaRegs, icoi),
  VMM_FIELD (HdaRegs, icii),
  VMM_FIELD (HdaRegs, dplbase),
  VMM_FIELD (HdaRegs, dpubase),
  VMM_FIELD (HdaRegs, pending),
  VMM_FIELD (HdaRegs, wall_start_ns),
  HDA_STREAM_FIELDS (0),
  HDA_STREAM_FIELDS (1),
  HDA_STREAM_FIELDS (2),
  HDA_STREAM_FIELDS (3),
  HDA_STREAM_FIELDS (4),
  HDA_STREAM_FIELDS (5),
  HDA_STREAM_FIELDS (6),
  HDA_STREAM_FIELDS (7),
  HDA_CONVERTER_FIELDS (0),
  HDA_CONVERTER_FIELDS (1),
  VMM_FIELD (HdaRegs, codec.subsystem),
  VMM_FIELD (HdaRegs, codec.power),
  VMM_FIELD_NOT_SAVED (HdaRegs, codec.reserved, "padding"),
  VMM_FIELD_END,
};

/* === Interrupts (§3.3.14, §3.3.15) === */

/* INTSTS without the enables of INTCTL. */
static guint32
hda_causes (const HdaRegs *regs)
{
  guint32 causes = 0;

  for (guint i = 0; i < HDA_STREAMS; i++)
    {
      const HdaStreamRegs *sd = &regs->stream[i];

      if ((sd->sts & sd->ctl & HDA_SD_STS_W1C) != 0) /* BCIS, FIFOE, DESE lie where their enables lie in CTL */
        causes |= 1u << i;
    }
  if (((regs->rirbsts & HDA_RIRBSTS_INT) != 0 && (regs->rirbctl & HDA_RIRBCTL_INT) != 0)
      || ((regs->rirbsts & HDA_RIRBSTS_OVERRUN) != 0 && (regs->rirbctl & HDA_RIRBCTL_OVERRUN_INT) != 0)
      || ((regs->corbsts & HDA_CORBSTS_CMEI) != 0 && (regs->corbctl & HDA_CORBCTL_CMEIE) != 0)
      || (regs->statests & regs->wakeen) != 0)
    causes |= HDA_INT_CONTROLLER;
  return causes;
}

static guint32
hda_intsts (const HdaRegs *regs)
{
  guint32 causes = hda_causes (regs);

  return causes | ((causes & regs->intctl) != 0 ? HDA_INT_GLOBAL : 0);
}

/* The pin is their OR; a message goes out for each cause that is new, or newly allowed. */
static void
hda_update_irq (Hda *hda)
{
  HdaRegs *regs = &hda->regs;
  guint32 wanted = (regs->intctl & HDA_INT_GLOBAL) != 0 ? hda_causes (regs) & regs->intctl : 0;
  guint32 fresh = wanted & ~regs->pending;

  regs->pending = wanted;
  vmm_pci_device_set_intx (&hda->pci, wanted != 0);
  if (fresh != 0 && vmm_pci_device_msi_enabled (&hda->pci))
    vmm_pci_device_signal (&hda->pci, 0);
}

/* === CORB, RIRB, immediate commands (§4.4) === */

static gboolean
hda_codec_answers (Hda *hda, guint32 command, guint32 *ret_response)
{
  if (command >> 28 != 0) /* the only codec's address is 0 */
    return FALSE;
  *ret_response = _vmm_hda_codec_command (&hda->codec, command & 0x0fffffff);
  return TRUE;
}

static guint64
hda_address (guint32 low, guint32 high)
{
  return low | (guint64) high << 32;
}

static void
hda_respond (Hda *hda, guint32 response)
{
  HdaRegs *regs = &hda->regs;
  guint32 words[2] = { GUINT32_TO_LE (response), 0 }; /* solicited, from codec 0 */

  regs->rirbwp++; /* 256 entries: wraps by itself */
  if (!vmm_pci_dma_write (&hda->pci, hda_address (regs->rirblbase, regs->rirbubase) + regs->rirbwp * 8u, words, sizeof words))
    {
      vmm_guest_error (&hda->pci.base, "the response ring lies outside of memory");
      regs->rirbsts |= HDA_RIRBSTS_OVERRUN;
    }
  regs->rirb_count++;
  if (regs->rirb_count >= (regs->rintcnt != 0 ? regs->rintcnt : 256))
    {
      regs->rirb_count = 0;
      regs->rirbsts |= HDA_RIRBSTS_INT;
    }
}

/* §4.4.1: fetches what lies between the pointers; responses need a place, so both rings must run. */
static void
hda_run_corb (Hda *hda)
{
  HdaRegs *regs = &hda->regs;
  guint32 command, response;

  if ((regs->gctl & HDA_GCTL_CRST) == 0 || (regs->corbctl & HDA_CORBCTL_RUN) == 0 || (regs->rirbctl & HDA_RIRBCTL_RUN) == 0)
    return;
  for (guint i = 0; i < HDA_RING_ENTRIES && regs->corbrp != regs->corbwp; i++)
    {
      guint8 next = (guint8) (regs->corbrp + 1);

      if (!vmm_pci_dma_read (&hda->pci, hda_address (regs->corblbase, regs->corbubase) + next * 4u, &command, sizeof command))
        {
          vmm_guest_error (&hda->pci.base, "the command ring lies outside of memory");
          regs->corbsts |= HDA_CORBSTS_CMEI;
          regs->corbctl &= (guint8) ~HDA_CORBCTL_RUN;
          break;
        }
      regs->corbrp = next;
      if (hda_codec_answers (hda, GUINT32_FROM_LE (command), &response))
        hda_respond (hda, response);
    }
  /* No more responses to wait for: the driver hears of those that it has not heard of (§3.3.27). */
  if (regs->rirb_count > 0)
    {
      regs->rirb_count = 0;
      regs->rirbsts |= HDA_RIRBSTS_INT;
    }
}

static void
hda_write_icis (Hda *hda, guint32 value)
{
  HdaRegs *regs = &hda->regs;

  if ((value & HDA_ICIS_VALID) != 0)
    regs->icis &= (guint16) ~HDA_ICIS_VALID;
  if ((value & HDA_ICIS_BUSY) == 0 || (regs->gctl & HDA_GCTL_CRST) == 0)
    return;
  if (hda_codec_answers (hda, regs->icoi, &regs->icii))
    regs->icis |= HDA_ICIS_VALID;
}

/* === Streams === */

static VmmAudioDirection
hda_direction (guint index)
{
  return index < HDA_INPUTS ? VMM_AUDIO_INPUT : VMM_AUDIO_OUTPUT;
}

static guint
hda_tag (const HdaStreamRegs *sd)
{
  return sd->ctl >> 20 & 0xf;
}

/* Whether the position moves. */
static gboolean
hda_stream_moves (const HdaRegs *regs, guint index, HdaFormat *ret_format)
{
  const HdaStreamRegs *sd = &regs->stream[index];

  return (sd->ctl & HDA_SD_RUN) != 0 && !sd->halted && (regs->ssync >> index & 1) == 0 && sd->cbl > 0
         && _vmm_hda_format_parse (sd->fmt, ret_format);
}

static void
hda_stream_halt (Hda *hda, guint index, const char *why)
{
  HdaStreamRegs *sd = &hda->regs.stream[index];

  vmm_guest_error (&hda->pci.base, "stream %u: %s", index, why);
  sd->sts |= HDA_SD_STS_DESE;
  sd->halted = TRUE;
}

/* Fetches the current descriptor unless it is here. */
static gboolean
hda_stream_load_entry (Hda *hda, guint index)
{
  HdaStreamRegs *sd = &hda->regs.stream[index];
  HdaEntry entry;

  if (hda->entry_valid[index])
    return TRUE;
  if (!vmm_pci_dma_read (&hda->pci, hda_address (sd->bdpl, sd->bdpu) + sd->entry * sizeof entry, &entry, sizeof entry))
    {
      hda_stream_halt (hda, index, "its buffer list lies outside of memory");
      return FALSE;
    }
  entry.address = GUINT64_FROM_LE (entry.address);
  entry.length = GUINT32_FROM_LE (entry.length);
  entry.flags = GUINT32_FROM_LE (entry.flags);
  if (entry.length == 0 || sd->entry_done >= entry.length)
    {
      hda_stream_halt (hda, index, "an entry of its buffer list is empty");
      return FALSE;
    }
  hda->entry[index] = entry;
  hda->entry_valid[index] = TRUE;
  return TRUE;
}

/* Moves one piece between memory and the codec; @len: at most the buffer. */
static gboolean
hda_stream_copy (Hda *hda, guint index, guint64 address, gsize len)
{
  guint tag = hda_tag (&hda->regs.stream[index]);
  guint8 buffer[4096];

  if (hda_direction (index) == VMM_AUDIO_OUTPUT)
    {
      if (!vmm_pci_dma_read (&hda->pci, address, buffer, len))
        return FALSE;
      _vmm_hda_codec_play (&hda->codec, tag, buffer, len);
      return TRUE;
    }
  _vmm_hda_codec_record (&hda->codec, tag, buffer, len);
  return vmm_pci_dma_write (&hda->pci, address, buffer, len);
}

/* Moves @bytes, whole frames as long as the driver's entries are; stops at a bad descriptor. */
static void
hda_stream_transfer (Hda *hda, guint index, guint32 bytes, guint frame)
{
  HdaStreamRegs *sd = &hda->regs.stream[index];

  for (guint n = 0; bytes > 0 && n < HDA_MAX_ENTRIES + HDA_MAX_BYTES / 1024; n++)
    {
      const HdaEntry *entry = &hda->entry[index];
      guint32 piece;

      if (!hda_stream_load_entry (hda, index))
        return;
      piece = MIN (MIN (bytes, entry->length - sd->entry_done), 4096 - 4096 % frame);
      if (!hda_stream_copy (hda, index, entry->address + sd->entry_done, piece))
        {
          hda_stream_halt (hda, index, "its buffer lies outside of memory");
          return;
        }
      bytes -= piece;
      sd->entry_done += piece;
      sd->lpib = (guint32) (((guint64) sd->lpib + piece) % sd->cbl);
      if (sd->entry_done == entry->length)
        {
          if ((entry->flags & HDA_BDL_IOC) != 0)
            sd->sts |= HDA_SD_STS_BCIS;
          sd->entry = sd->entry == sd->lvi ? 0 : (guint8) (sd->entry + 1);
          sd->entry_done = 0;
          hda->entry_valid[index] = FALSE;
        }
    }
}

static void
hda_stream_post_position (Hda *hda, guint index)
{
  HdaRegs *regs = &hda->regs;
  guint32 words[2] = { GUINT32_TO_LE (regs->stream[index].lpib), 0 };

  if ((regs->dplbase & HDA_DPLBASE_ENABLE) != 0)
    vmm_pci_dma_write (&hda->pci, hda_address (regs->dplbase & ~0x7fu, regs->dpubase) + index * 8u, words, sizeof words);
}

/* Brings the stream up to now. */
static void
hda_stream_sync (Hda *hda, guint index)
{
  HdaStreamRegs *sd = &hda->regs.stream[index];
  gint64 now_ns = vmm_clock_now (vmm_device_get_clock (&hda->pci.base));
  guint64 seconds, due;
  HdaFormat format;
  guint frame;

  if (!hda_stream_moves (&hda->regs, index, &format))
    return;
  frame = format.channels * format.sample_size;
  if (now_ns < sd->start_ns || now_ns - sd->start_ns > 3600 * HDA_NS_PER_S) /* a saved state that lies */
    {
      sd->start_ns = now_ns;
      sd->frames_done = 0;
    }
  seconds = MIN ((guint64) (now_ns - sd->start_ns) / HDA_NS_PER_S, sd->frames_done / format.rate);
  sd->start_ns += (gint64) seconds * HDA_NS_PER_S;
  sd->frames_done -= (guint32) seconds * format.rate;
  due = (guint64) (now_ns - sd->start_ns) * format.rate / HDA_NS_PER_S;
  if (due <= sd->frames_done)
    return;
  due -= sd->frames_done;
  if (due > HDA_MAX_BYTES / frame)
    {
      /* The machine was not scheduled for seconds: nobody hears what lies between. */
      due = HDA_MAX_BYTES / frame;
      sd->start_ns = now_ns;
      sd->frames_done = 0;
    }
  else
    sd->frames_done += (guint32) due;
  hda_stream_transfer (hda, index, (guint32) due * frame, frame);
  hda_stream_post_position (hda, index);
}

/* The next time that something happens: the end of the entry, or a tick. */
static void
hda_stream_arm (Hda *hda, guint index)
{
  HdaStreamRegs *sd = &hda->regs.stream[index];
  gint64 now_ns = vmm_clock_now (vmm_device_get_clock (&hda->pci.base)), deadline_ns = now_ns + HDA_TICK_NS;
  HdaFormat format;

  if (hda->quiesced || !hda_stream_moves (&hda->regs, index, &format) || !hda_stream_load_entry (hda, index))
    {
      vmm_timer_disarm (&hda->timer[index]);
      return;
    }
  {
    guint frame = format.channels * format.sample_size;
    guint64 left = ((guint64) hda->entry[index].length - sd->entry_done + frame - 1) / frame;

    if (left < format.rate)
      deadline_ns = MIN (deadline_ns,
                         sd->start_ns + (gint64) (((sd->frames_done + left) * HDA_NS_PER_S + format.rate - 1) / format.rate));
  }
  vmm_timer_arm (&hda->timer[index], MAX (deadline_ns, now_ns + HDA_MIN_TICK_NS));
}

static void
hda_on_timer (VmmDevice *dev, gpointer data)
{
  Hda *hda = (Hda *) dev;
  guint index = GPOINTER_TO_UINT (data);

  hda_stream_sync (hda, index);
  hda_stream_arm (hda, index);
  hda_update_irq (hda);
}

/* Begins to count from now, from where the stream stands. */
static void
hda_stream_begin (Hda *hda, guint index)
{
  HdaStreamRegs *sd = &hda->regs.stream[index];

  sd->start_ns = vmm_clock_now (vmm_device_get_clock (&hda->pci.base));
  sd->frames_done = 0;
  hda_stream_arm (hda, index);
}

static void
hda_stream_reset (Hda *hda, guint index)
{
  HdaStreamRegs *sd = &hda->regs.stream[index];

  if ((sd->ctl & HDA_SD_RUN) != 0)
    _vmm_hda_codec_stream_stop (&hda->codec, hda_direction (index), hda_tag (sd));
  memset (sd, 0, sizeof *sd);
  hda->entry_valid[index] = FALSE;
  vmm_timer_disarm (&hda->timer[index]);
}

static void
hda_write_stream_ctl (Hda *hda, guint index, guint32 value)
{
  HdaStreamRegs *sd = &hda->regs.stream[index];
  guint32 before = sd->ctl;

  hda_stream_sync (hda, index);
  if ((value & HDA_SD_SRST) != 0)
    {
      hda_stream_reset (hda, index);
      sd->ctl = HDA_SD_SRST; /* reads back until the driver takes it away (§3.3.35) */
      return;
    }
  if ((before & HDA_SD_RUN) != 0 && ((value & HDA_SD_RUN) == 0 || ((before ^ value) >> 20 & 0xf) != 0))
    _vmm_hda_codec_stream_stop (&hda->codec, hda_direction (index), hda_tag (sd));
  sd->ctl = value & HDA_SD_CTL_WRITABLE;
  if ((value & HDA_SD_RUN) == 0)
    {
      sd->halted = FALSE;
      sd->sts &= (guint8) ~HDA_SD_STS_FIFORDY;
      vmm_timer_disarm (&hda->timer[index]);
      return;
    }
  if ((before & HDA_SD_RUN) != 0 && ((before ^ value) >> 20 & 0xf) == 0)
    return;
  sd->sts |= HDA_SD_STS_FIFORDY;
  _vmm_hda_codec_stream_start (&hda->codec, hda_direction (index), hda_tag (sd), sd->fmt);
  hda_stream_begin (hda, index);
}

/* Streams that are held here begin together when they are let go (§4.5.4). */
static void
hda_write_ssync (Hda *hda, guint32 value)
{
  guint32 changed = (hda->regs.ssync ^ value) & ((1u << HDA_STREAMS) - 1);

  for (guint i = 0; i < HDA_STREAMS; i++)
    if ((changed >> i & 1) != 0)
      hda_stream_sync (hda, i);
  hda->regs.ssync ^= changed;
  for (guint i = 0; i < HDA_STREAMS; i++)
    if ((changed >> i & 1) != 0)
      {
        if ((hda->regs.ssync >> i & 1) == 0)
          hda_stream_begin (hda, i);
        else
          vmm_timer_disarm (&hda->timer[i]);
      }
}

/* === Reset === */

/* What CRST does (§3.3.7): all but what lies in the power well of the link (WAKEEN, STATESTS). */
static void
hda_reset_controller (Hda *hda)
{
  HdaRegs *regs = &hda->regs;
  guint16 wakeen = regs->wakeen, statests = regs->statests;
  HdaCodecRegs codec;

  for (guint i = 0; i < HDA_STREAMS; i++)
    hda_stream_reset (hda, i);
  codec = regs->codec;
  memset (regs, 0, sizeof *regs);
  regs->codec = codec;
  regs->wakeen = wakeen;
  regs->statests = statests;
}

static void
hda_write_gctl (Hda *hda, guint32 value)
{
  HdaRegs *regs = &hda->regs;

  if ((value & HDA_GCTL_CRST) == 0)
    {
      if ((regs->gctl & HDA_GCTL_CRST) != 0)
        hda_reset_controller (hda);
      return;
    }
  if ((regs->gctl & HDA_GCTL_CRST) == 0)
    {
      /* The link comes up, and the codec says that it is there (§4.3). */
      _vmm_hda_codec_reset (&hda->codec);
      regs->statests |= 1;
      regs->wall_start_ns = vmm_clock_now (vmm_device_get_clock (&hda->pci.base));
    }
  /* A flush is done as soon as it is asked for. */
  if ((value & HDA_GCTL_FCNTRL) != 0)
    regs->gsts |= 2;
  regs->gctl = value & (HDA_GCTL_CRST | HDA_GCTL_UNSOL);
}

/* === Registers === */

static guint32
hda_wall_clock (Hda *hda)
{
  gint64 ns = vmm_clock_now (vmm_device_get_clock (&hda->pci.base)) - hda->regs.wall_start_ns;

  /* 24 MHz while the link runs */
  return (hda->regs.gctl & HDA_GCTL_CRST) != 0 ? (guint32) ((guint64) ns / 1000 * 24 + (guint64) ns % 1000 * 24 / 1000) : 0;
}

static guint32
hda_read_position (Hda *hda, guint index)
{
  hda_stream_sync (hda, index);
  hda_update_irq (hda);
  return hda->regs.stream[index].lpib;
}

static guint32
hda_read_stream (Hda *hda, guint index, guint reg)
{
  const HdaStreamRegs *sd = &hda->regs.stream[index];

  switch (reg)
    {
    case HDA_SD_CTL:
      return sd->ctl | (guint32) sd->sts << 24;
    case HDA_SD_LPIB:
      return hda_read_position (hda, index);
    case HDA_SD_CBL:
      return sd->cbl;
    case HDA_SD_LVI:
      return sd->lvi | 4u << 16; /* 32 bytes: FIFOW */
    case HDA_SD_FIFOS:
      return (hda_direction (index) == VMM_AUDIO_INPUT ? 0x77u : 0xbfu) | (guint32) sd->fmt << 16;
    case HDA_SD_BDPL:
      return sd->bdpl;
    case HDA_SD_BDPU:
      return sd->bdpu;
    default:
      return 0;
    }
}

static guint32
hda_read_reg (Hda *hda, guint reg)
{
  const HdaRegs *regs = &hda->regs;

  if (reg >= HDA_SD_BASE && reg < HDA_SD_BASE + HDA_STREAMS * HDA_SD_SIZE)
    return hda_read_stream (hda, (reg - HDA_SD_BASE) / HDA_SD_SIZE, (reg - HDA_SD_BASE) % HDA_SD_SIZE);
  if (reg >= HDA_LPIB_ALIAS && reg < HDA_LPIB_ALIAS + HDA_STREAMS * HDA_SD_SIZE)
    return (reg - HDA_LPIB_ALIAS) % HDA_SD_SIZE == 0 ? hda_read_position (hda, (reg - HDA_LPIB_ALIAS) / HDA_SD_SIZE) : 0;
  switch (reg)
    {
    case HDA_GCAP:
      return HDA_GCAP_VALUE;
    case HDA_OUTPAY:
      return HDA_OUTPAY_VALUE;
    case HDA_GCTL:
      return regs->gctl;
    case HDA_WAKEEN:
      return regs->wakeen | (guint32) regs->statests << 16;
    case HDA_GSTS:
      return regs->gsts;
    case HDA_STRMPAY:
      return HDA_STRMPAY_VALUE;
    case HDA_INTCTL:
      return regs->intctl;
    case HDA_INTSTS:
      return hda_intsts (regs);
    case HDA_WALCLK:
    case HDA_WALCLK_ALIAS:
      return hda_wall_clock (hda);
    case HDA_SSYNC:
    case HDA_SSYNC_ICH6:
      return regs->ssync;
    case HDA_CORBLBASE:
      return regs->corblbase;
    case HDA_CORBUBASE:
      return regs->corbubase;
    case HDA_CORBWP:
      return regs->corbwp | (guint32) regs->corbrp << 16 | (regs->corbrp_reset ? HDA_CORBRP_RESET << 16 : 0);
    case HDA_CORBCTL:
      return regs->corbctl | (guint32) regs->corbsts << 8 | HDA_RING_SIZE << 16;
    case HDA_RIRBLBASE:
      return regs->rirblbase;
    case HDA_RIRBUBASE:
      return regs->rirbubase;
    case HDA_RIRBWP:
      return regs->rirbwp | (guint32) regs->rintcnt << 16;
    case HDA_RIRBCTL:
      return regs->rirbctl | (guint32) regs->rirbsts << 8 | HDA_RING_SIZE << 16;
    case HDA_ICOI:
      return regs->icoi;
    case HDA_ICII:
      return regs->icii;
    case HDA_ICIS:
      return regs->icis;
    case HDA_DPLBASE:
      return regs->dplbase;
    case HDA_DPUBASE:
      return regs->dpubase;
    default:
      return 0;
    }
}

static void
hda_write_stream (Hda *hda, guint index, guint reg, guint32 value, guint32 mask)
{
  HdaStreamRegs *sd = &hda->regs.stream[index];

  switch (reg)
    {
    case HDA_SD_CTL:
      if ((mask & 0x00ffffff) != 0)
        hda_write_stream_ctl (hda, index, (sd->ctl & ~mask) | (value & mask & 0x00ffffff));
      sd->sts &= (guint8) ~(value >> 24 & HDA_SD_STS_W1C);
      hda_update_irq (hda);
      return;
    default:
      break;
    }
  /* The rest is for stopped streams (§3.3.38 and following). */
  if ((sd->ctl & HDA_SD_RUN) != 0)
    {
      vmm_guest_error (&hda->pci.base, "stream %u: register %02x is written while it runs", index, reg);
      return;
    }
  switch (reg)
    {
    case HDA_SD_CBL:
      sd->cbl = (sd->cbl & ~mask) | value;
      break;
    case HDA_SD_LVI:
      if ((mask & 0xff) != 0)
        sd->lvi = value & 0xff;
      break;
    case HDA_SD_FIFOS:
      sd->fmt = (guint16) ((sd->fmt & ~(mask >> 16)) | (value >> 16)) & HDA_SD_FMT_WRITABLE;
      break;
    case HDA_SD_BDPL:
      sd->bdpl = ((sd->bdpl & ~mask) | value) & ~0x7fu;
      hda->entry_valid[index] = FALSE;
      break;
    case HDA_SD_BDPU:
      sd->bdpu = (sd->bdpu & ~mask) | value;
      hda->entry_valid[index] = FALSE;
      break;
    default:
      break;
    }
}

static void
hda_write_corb (Hda *hda, guint reg, guint32 value, guint32 mask)
{
  HdaRegs *regs = &hda->regs;

  if (reg == HDA_CORBWP)
    {
      if ((mask & 0xff) != 0)
        regs->corbwp = value & 0xff;
      if ((mask & HDA_CORBRP_RESET << 16) != 0) /* §3.3.21: the driver sets the bit, sees it, and takes it away */
        {
          regs->corbrp_reset = (value & HDA_CORBRP_RESET << 16) != 0;
          if (regs->corbrp_reset)
            regs->corbrp = 0;
        }
    }
  else
    {
      if ((mask & 0xff) != 0)
        regs->corbctl = value & (HDA_CORBCTL_CMEIE | HDA_CORBCTL_RUN);
      regs->corbsts &= (guint8) ~(value >> 8 & HDA_CORBSTS_CMEI);
    }
  hda_run_corb (hda);
}

static void
hda_write_rirb (Hda *hda, guint reg, guint32 value, guint32 mask)
{
  HdaRegs *regs = &hda->regs;

  if (reg == HDA_RIRBWP)
    {
      if ((value & HDA_RIRBWP_RESET) != 0)
        regs->rirbwp = 0;
      if ((mask & 0x00ff0000) != 0)
        regs->rintcnt = value >> 16 & 0xff;
    }
  else
    {
      if ((mask & 0xff) != 0)
        regs->rirbctl = value & (HDA_RIRBCTL_INT | HDA_RIRBCTL_RUN | HDA_RIRBCTL_OVERRUN_INT);
      regs->rirbsts &= (guint8) ~(value >> 8 & (HDA_RIRBSTS_INT | HDA_RIRBSTS_OVERRUN));
    }
  hda_run_corb (hda);
}

/* @mask: the bits that the access reaches; @value is 0 outside. */
static void
hda_write_reg (Hda *hda, guint reg, guint32 value, guint32 mask)
{
  HdaRegs *regs = &hda->regs;

  if (reg == HDA_GCTL)
    hda_write_gctl (hda, (regs->gctl & ~mask) | value);
  else if (reg == HDA_WAKEEN)
    {
      regs->wakeen = (guint16) ((regs->wakeen & ~mask) | value) & 0x7fff;
      regs->statests &= (guint16) ~(value >> 16);
    }
  else if ((regs->gctl & HDA_GCTL_CRST) == 0)
    return; /* §3.3.7: in reset nothing else takes writes */
  else if (reg >= HDA_SD_BASE && reg < HDA_SD_BASE + HDA_STREAMS * HDA_SD_SIZE)
    hda_write_stream (hda, (reg - HDA_SD_BASE) / HDA_SD_SIZE, (reg - HDA_SD_BASE) % HDA_SD_SIZE, value, mask);
  else
    switch (reg)
      {
      case HDA_GSTS:
        regs->gsts &= (guint16) ~(value & 2);
        break;
      case HDA_INTCTL:
        regs->intctl = ((regs->intctl & ~mask) | value) & (HDA_INT_GLOBAL | HDA_INT_CONTROLLER | ((1u << HDA_STREAMS) - 1));
        break;
      case HDA_SSYNC:
      case HDA_SSYNC_ICH6:
        hda_write_ssync (hda, (regs->ssync & ~mask) | value);
        break;
      case HDA_CORBLBASE:
        regs->corblbase = ((regs->corblbase & ~mask) | value) & ~0x7fu;
        break;
      case HDA_CORBUBASE:
        regs->corbubase = (regs->corbubase & ~mask) | value;
        break;
      case HDA_CORBWP:
      case HDA_CORBCTL:
        hda_write_corb (hda, reg, value, mask);
        break;
      case HDA_RIRBLBASE:
        regs->rirblbase = ((regs->rirblbase & ~mask) | value) & ~0x7fu;
        break;
      case HDA_RIRBUBASE:
        regs->rirbubase = (regs->rirbubase & ~mask) | value;
        break;
      case HDA_RIRBWP:
      case HDA_RIRBCTL:
        hda_write_rirb (hda, reg, value, mask);
        break;
      case HDA_ICOI:
        regs->icoi = (regs->icoi & ~mask) | value;
        break;
      case HDA_ICIS:
        hda_write_icis (hda, value);
        break;
      case HDA_DPLBASE:
        regs->dplbase = ((regs->dplbase & ~mask) | value) & ~0x7eu;
        break;
      case HDA_DPUBASE:
        regs->dpubase = (regs->dpubase & ~mask) | value;
        break;
      default:
        return;
      }
  hda_update_irq (hda);
}

static guint32
hda_access_mask (guint64 offset, guint size)
{
  return (size == 4 ? 0xffffffffu : (1u << size * 8) - 1) << offset % 4 * 8;
}

static guint64
hda_mmio_read (VmmDevice *dev, gpointer opaque, guint64 offset, guint size)
{
  return (hda_read_reg ((Hda *) dev, (guint) offset & ~3u) & hda_access_mask (offset, size)) >> offset % 4 * 8;
}

static void
hda_mmio_write (VmmDevice *dev, gpointer opaque, guint64 offset, guint size, guint64 value)
{
  guint32 mask = hda_access_mask (offset, size);

  hda_write_reg ((Hda *) dev, (guint) offset & ~3u, (guint32) value << offset % 4 * 8 & mask, mask);
}

static const VmmRegionOps hda_mmio_ops = { .name = "hda", .read = hda_mmio_read, .write = hda_mmio_write, .access_max = 4 };

static void
hda_config_written (VmmPciDevice *pci, guint offset, guint size)
{
  Hda *hda = (Hda *) pci;

  /* Messages were just switched on: what is pending counts as new. */
  if (pci->msi_cap != 0 && offset < pci->msi_cap + 4u && offset + size > pci->msi_cap + 2u)
    {
      hda->regs.pending = 0;
      hda_update_irq (hda);
    }
}

/* === Life === */

static void
hda_reset (VmmDevice *dev, VmmResetKind kind)
{
  Hda *hda = (Hda *) dev;

  vmm_pci_device_reset (&hda->pci);
  hda_reset_controller (hda);
  hda->regs.wakeen = hda->regs.statests = 0;
  _vmm_hda_codec_reset (&hda->codec);
  hda_update_irq (hda);
}

static void
hda_quiesce (VmmDevice *dev)
{
  Hda *hda = (Hda *) dev;

  vmm_device_lock (dev);
  hda->quiesced = TRUE;
  for (guint i = 0; i < HDA_STREAMS; i++)
    {
      hda_stream_sync (hda, i);
      vmm_timer_disarm (&hda->timer[i]);
    }
  hda_update_irq (hda);
  vmm_device_unlock (dev);
}

static void
hda_resume (VmmDevice *dev)
{
  Hda *hda = (Hda *) dev;

  vmm_device_lock (dev);
  hda->quiesced = FALSE;
  for (guint i = 0; i < HDA_STREAMS; i++)
    hda_stream_arm (hda, i);
  hda_update_irq (hda);
  vmm_device_unlock (dev);
}

static gboolean
hda_post_load (VmmDevice *dev, GError **error)
{
  Hda *hda = (Hda *) dev;

  vmm_pci_device_post_load (&hda->pci);
  _vmm_hda_codec_post_load (&hda->codec);
  for (guint i = 0; i < HDA_STREAMS; i++)
    {
      const HdaStreamRegs *sd = &hda->regs.stream[i];

      hda->entry_valid[i] = FALSE;
      if ((sd->ctl & HDA_SD_RUN) != 0)
        _vmm_hda_codec_stream_start (&hda->codec, hda_direction (i), hda_tag (sd), sd->fmt);
      hda_stream_arm (hda, i);
    }
  return TRUE;
}

static void
hda_unrealize (VmmDevice *dev)
{
  Hda *hda = (Hda *) dev;

  for (guint i = 0; i < HDA_STREAMS; i++)
    vmm_timer_clear (&hda->timer[i]);
  _vmm_hda_codec_unrealize (&hda->codec);
  vmm_pci_device_clear (&hda->pci);
}

static gboolean
hda_realize (VmmDevice *dev, GError **error)
{
  static const VmmPciId id = { .vendor = 0x8086, .device = 0x2668, .revision = 1, .class_code = 0x040300 };
  Hda *hda = (Hda *) dev;

  if (!vmm_pci_device_init (&hda->pci, -1, &id, error))
    return FALSE;
  if (!_vmm_hda_codec_realize (&hda->codec, dev, &hda->regs.codec, error))
    {
      vmm_pci_device_clear (&hda->pci);
      return FALSE;
    }
  hda->pci.pci.config[0x3d] = 1; /* INTA */
  hda->pci.pci.config[0x40] = 1; /* HDCTL: in HDA mode (ICH6 §18.1.19) */
  hda->pci.wmask[0x44] = 0x07;   /* TCSEL */
  vmm_pci_device_add_bar (&hda->pci, 0, VMM_PCI_BAR_MMIO, HDA_BAR_SIZE, VMM_PCI_BAR_32, &hda_mmio_ops, hda);
  vmm_pci_device_add_msi (&hda->pci, 0x60);
  hda->pci.config_written = hda_config_written;
  for (guint i = 0; i < HDA_STREAMS; i++)
    vmm_timer_init (&hda->timer[i], dev, hda_on_timer, GUINT_TO_POINTER (i));
  return TRUE;
}

const VmmDeviceClass vmm_hda_class = {
  .name = "hda",
  .summary = N_ ("Sound card (Intel HD Audio)"),
  .description = N_ ("Sound out and in; every system has a driver for it."),
  .bus = VMM_DEVICE_PCI,
  .user_creatable = TRUE,
  .instance_size = sizeof (Hda),
  .settings = vmm_audio_settings,
  .regs_offset = G_STRUCT_OFFSET (Hda, regs),
  .regs_size = sizeof (HdaRegs),
  .regs_fields = hda_fields,
  .state_version = 1,
  .realize = hda_realize,
  .reset = hda_reset,
  .quiesce = hda_quiesce,
  .resume = hda_resume,
  .unrealize = hda_unrealize,
  .post_load = hda_post_load,
};
