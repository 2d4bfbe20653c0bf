/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "x86/fixup.h"

#include <string.h>

#define FIX_RFLAGS_AC (1u << 18)
#define FIX_VECTOR_BP 3
#define FIX_FSW_ES (1u << 7) /* an unmasked x87 exception is pending: FWAIT would raise #MF */

static gboolean
fix_starts_with (const guint8 *bytes, gsize len, const char *opcode, gsize opcode_len)
{
  return len >= opcode_len && memcmp (bytes, opcode, opcode_len) == 0;
}

static gboolean
fix_fwait (VmmKvmVcpu *vcpu, struct kvm_regs *regs)
{
  struct kvm_fpu fpu;

  if (!vmm_kvm_vcpu_get_fpu (vcpu, &fpu) || (fpu.fsw & FIX_FSW_ES))
    return FALSE;
  regs->rip += 1;
  return vmm_kvm_vcpu_set_regs (vcpu, regs);
}

static gboolean
fix_fninit (VmmKvmVcpu *vcpu, struct kvm_regs *regs)
{
  struct kvm_fpu fpu;

  if (!vmm_kvm_vcpu_get_fpu (vcpu, &fpu))
    return FALSE;
  fpu.fcw = 0x37f;
  fpu.fsw = 0;
  fpu.ftwx = 0; /* all empty, as FXSAVE writes it */
  fpu.last_opcode = 0;
  fpu.last_ip = 0;
  fpu.last_dp = 0;
  regs->rip += 2;
  return vmm_kvm_vcpu_set_fpu (vcpu, &fpu) && vmm_kvm_vcpu_set_regs (vcpu, regs);
}

static gboolean
fix_alignment_flag (VmmKvmVcpu *vcpu, struct kvm_regs *regs, gboolean on)
{
  regs->rflags = on ? regs->rflags | FIX_RFLAGS_AC : regs->rflags & ~(guint64) FIX_RFLAGS_AC;
  regs->rip += 3;
  return vmm_kvm_vcpu_set_regs (vcpu, regs);
}

static gboolean
fix_int3 (VmmKvmVcpu *vcpu, struct kvm_regs *regs)
{
  regs->rip += 1; /* #BP is a trap: it returns behind the instruction */
  return vmm_kvm_vcpu_set_regs (vcpu, regs) && vmm_kvm_vcpu_inject_exception (vcpu, FIX_VECTOR_BP);
}

gboolean
vmm_fixup_instruction (VmmKvmVcpu *vcpu, const guint8 *bytes, gsize len)
{
  struct kvm_regs regs;

  if (!vmm_kvm_vcpu_get_regs (vcpu, &regs))
    return FALSE;
  if (fix_starts_with (bytes, len, "\x9b", 1))
    return fix_fwait (vcpu, &regs);
  if (fix_starts_with (bytes, len, "\xdb\xe3", 2))
    return fix_fninit (vcpu, &regs);
  if (fix_starts_with (bytes, len, "\x0f\x01\xca", 3))
    return fix_alignment_flag (vcpu, &regs, FALSE);
  if (fix_starts_with (bytes, len, "\x0f\x01\xcb", 3))
    return fix_alignment_flag (vcpu, &regs, TRUE);
  if (fix_starts_with (bytes, len, "\xcc", 1))
    return fix_int3 (vcpu, &regs);
  return FALSE;
}
