/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the q35 board tells operating systems beyond the fixed tables. Static: what changes from machine to machine, and what the firmware
 * decides, comes from the objects declared External, which x86/acpi.c puts into an SSDT.
 * SeaBIOS looks devices up in here with a small parser that knows no CreateField outside of methods.
 * Spec: ACPI 6.5 §5.2.11.1, §6, §19; PCI Firmware 3.2 §4.5 (_OSC). After a change: ninja update-dsdt. */
DefinitionBlock ("", "DSDT", 2, "LODGE ", "LODGEQ35", 1)
{
  External (\_SB.LOMB, IntObj) /* PCI memory below 4 GiB starts here: the end of low RAM */
  External (\_SB.ECMB, IntObj) /* ECAM: base */
  External (\_SB.ECML, IntObj) /* ECAM: bytes; 0: the firmware left it off */
  External (\_SB.HIMB, IntObj) /* PCI memory above 4 GiB: base */
  External (\_SB.HIML, IntObj) /* its length; 0: none in use */
  External (\_SB.DEVS, IntObj) /* bit 0: i8042, 1-4: COM1-COM4 */

  Name (\PICF, 0) /* 0: the guest uses the 8259s, else the I/O APIC */
  Method (\_PIC, 1) { PICF = Arg0 }

  /* No sleep but soft-off: SLP_TYP 0. */
  Name (\_S5, Package () { 0, 0, 0, 0 })

  Scope (\_SB)
  {
    /* _STA of a device that is there if a bit of Arg0 is in DEVS. */
    Method (PRES, 1)
    {
      If (\_SB.DEVS & Arg0) { Return (0x0F) }
      Return (0)
    }

    Device (PCI0)
    {
      Name (_HID, EisaId ("PNP0A08"))
      Name (_CID, EisaId ("PNP0A03"))
      Name (_UID, 0)
      Name (_BBN, 0)
      Name (_SEG, 0)

      Name (CRSF, ResourceTemplate ()
      {
        WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0x0000, 0x00FF, 0, 0x0100)
        IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
        WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0000, 0x0CF7, 0, 0x0CF8)
        WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0D00, 0xFFFF, 0, 0xF300)
        DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite, 0, 0x000A0000, 0x000BFFFF, 0, 0x00020000)
      })

      /* A window from Arg0 on, Arg1 bytes, below 4 GiB. */
      Name (BF32, ResourceTemplate ()
      {
        DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite, 0, 0, 0, 0, 0, , , W32)
      })
      Method (WN32, 2, Serialized)
      {
        CreateDWordField (BF32, ^W32._MIN, MN32)
        CreateDWordField (BF32, ^W32._MAX, MX32)
        CreateDWordField (BF32, ^W32._LEN, LN32)
        MN32 = Arg0
        MX32 = Arg0 + Arg1 - 1
        LN32 = Arg1
        Return (BF32)
      }

      Name (BF64, ResourceTemplate ()
      {
        QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite, 0, 0, 0, 0, 0, , , W64)
      })
      Method (WN64, 2, Serialized)
      {
        CreateQWordField (BF64, ^W64._MIN, MN64)
        CreateQWordField (BF64, ^W64._MAX, MX64)
        CreateQWordField (BF64, ^W64._LEN, LN64)
        MN64 = Arg0
        MX64 = Arg0 + Arg1 - 1
        LN64 = Arg1
        Return (BF64)
      }

      /* The PCI hole goes up to the I/O APIC; the ECAM range is not part of it. */
      Method (_CRS, 0, Serialized)
      {
        Local0 = CRSF
        Local1 = \_SB.LOMB
        If (\_SB.ECML != 0)
        {
          If (\_SB.ECMB > Local1) { Local0 = ConcatenateResTemplate (Local0, WN32 (Local1, \_SB.ECMB - Local1)) }
          Local1 = \_SB.ECMB + \_SB.ECML
        }
        If (Local1 < 0xFEC00000) { Local0 = ConcatenateResTemplate (Local0, WN32 (Local1, 0xFEC00000 - Local1)) }
        If (\_SB.HIML != 0) { Local0 = ConcatenateResTemplate (Local0, WN64 (\_SB.HIMB, \_SB.HIML)) }
        Return (Local0)
      }

      /* The guest may have native hot-plug, power events and the PCI Express capability; there is no SHPC and no error reporting. */
      Method (_OSC, 4)
      {
        CreateDWordField (Arg3, 0, STAT)
        If (Arg0 != ToUUID ("33DB4D5B-1FF7-401C-9657-7441C03DD766"))
        {
          STAT |= 0x04
          Return (Arg3)
        }
        If (Arg1 != 1) { STAT |= 0x08 }
        If (Arg2 >= 3)
        {
          CreateDWordField (Arg3, 8, CTRL)
          Local0 = CTRL & 0x15
          If (Local0 != CTRL) { STAT |= 0x10 }
          CTRL = Local0
        }
        Return (Arg3)
      }

      Method (_PRT)
      {
        If (PICF) { Return (\_SB.PRTA) }
        Return (\_SB.PRTP)
      }

      Device (SF8) /* ISA bridge */
      {
        Name (_ADR, 0x001F0000)
        OperationRegion (PCIC, PCI_Config, 0x60, 0x0C)
        Field (PCIC, ByteAcc, NoLock, Preserve)
        {
          PRQA, 8, PRQB, 8, PRQC, 8, PRQD, 8,
          Offset (0x08),
          PRQE, 8, PRQF, 8, PRQG, 8, PRQH, 8
        }

        Device (KBD)
        {
          Name (_HID, EisaId ("PNP0303"))
          Method (_STA) { Return (\_SB.PRES (0x01)) }
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x0060, 0x0060, 1, 1)
            IO (Decode16, 0x0064, 0x0064, 1, 1)
            IRQNoFlags () { 1 }
          })
        }

        Device (MOU)
        {
          Name (_HID, EisaId ("PNP0F13"))
          Method (_STA) { Return (\_SB.PRES (0x01)) }
          Name (_CRS, ResourceTemplate () { IRQNoFlags () { 12 } })
        }

        Device (RTC)
        {
          Name (_HID, EisaId ("PNP0B00"))
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x0070, 0x0070, 1, 8)
            IRQNoFlags () { 8 }
          })
        }

        Device (FWCF)
        {
          Name (_HID, "QEMU0002")
          Name (_STA, 0x0B)
          Name (_CRS, ResourceTemplate () { IO (Decode16, 0x0510, 0x0510, 1, 0x0C) })
        }

        Device (MBRD) /* decoded by the board itself */
        {
          Name (_HID, EisaId ("PNP0C02"))
          Name (_UID, 1)
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x0600, 0x0600, 1, 0x80)
            IO (Decode16, 0x04D0, 0x04D0, 1, 0x02)
            Memory32Fixed (ReadWrite, 0xFED1C000, 0x00004000)
          })
        }

        Device (COM1)
        {
          Name (_HID, EisaId ("PNP0501"))
          Name (_UID, 1)
          Method (_STA) { Return (\_SB.PRES (0x02)) }
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x03F8, 0x03F8, 1, 8)
            IRQNoFlags () { 4 }
          })
        }

        Device (COM2)
        {
          Name (_HID, EisaId ("PNP0501"))
          Name (_UID, 2)
          Method (_STA) { Return (\_SB.PRES (0x04)) }
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x02F8, 0x02F8, 1, 8)
            IRQNoFlags () { 3 }
          })
        }

        Device (COM3)
        {
          Name (_HID, EisaId ("PNP0501"))
          Name (_UID, 3)
          Method (_STA) { Return (\_SB.PRES (0x08)) }
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x03E8, 0x03E8, 1, 8)
            IRQNoFlags () { 4 }
          })
        }

        Device (COM4)
        {
          Name (_HID, EisaId ("PNP0501"))
          Name (_UID, 4)
          Method (_STA) { Return (\_SB.PRES (0x10)) }
          Name (_CRS, ResourceTemplate ()
          {
            IO (Decode16, 0x02E8, 0x02E8, 1, 8)
            IRQNoFlags () { 3 }
          })
        }
      }
    }

    Device (DRAC) /* keeps the ECAM range from everything else */
    {
      Name (_HID, EisaId ("PNP0C01"))
      Name (_UID, 2)
      Name (RBUF, ResourceTemplate () { Memory32Fixed (ReadWrite, 0, 0, MEM0) })
      Method (_STA)
      {
        If (\_SB.ECML != 0) { Return (0x0F) }
        Return (0)
      }
      Method (_CRS, 0, Serialized)
      {
        CreateDWordField (RBUF, ^MEM0._BAS, MBAS)
        CreateDWordField (RBUF, ^MEM0._LEN, MLEN)
        MBAS = \_SB.ECMB
        MLEN = \_SB.ECML
        Return (RBUF)
      }
    }

    /* Interrupt links. Arg0: the routing register of the ISA bridge: bit 7 off, bits 3-0 the ISA interrupt. */
    Method (LSTA, 1)
    {
      If (Arg0 & 0x80) { Return (0x09) }
      Return (0x0B)
    }
    Name (LBUF, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 0 } })
    Method (LCRS, 1, Serialized)
    {
      CreateDWordField (LBUF, 5, LIRQ)
      LIRQ = Arg0 & 0x0F
      Return (LBUF)
    }

    Device (LNKA)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 0)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 } })
      Method (_STA) { Return (LSTA (\_SB.PCI0.SF8.PRQA)) }
      Method (_DIS) { \_SB.PCI0.SF8.PRQA |= 0x80 }
      Method (_CRS) { Return (LCRS (\_SB.PCI0.SF8.PRQA)) }
      Method (_SRS, 1)
      {
        CreateDWordField (Arg0, 5, IRQN)
        \_SB.PCI0.SF8.PRQA = IRQN
      }
    }

    Device (LNKB)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 1)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 } })
      Method (_STA) { Return (LSTA (\_SB.PCI0.SF8.PRQB)) }
      Method (_DIS) { \_SB.PCI0.SF8.PRQB |= 0x80 }
      Method (_CRS) { Return (LCRS (\_SB.PCI0.SF8.PRQB)) }
      Method (_SRS, 1)
      {
        CreateDWordField (Arg0, 5, IRQN)
        \_SB.PCI0.SF8.PRQB = IRQN
      }
    }

    Device (LNKC)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 2)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 } })
      Method (_STA) { Return (LSTA (\_SB.PCI0.SF8.PRQC)) }
      Method (_DIS) { \_SB.PCI0.SF8.PRQC |= 0x80 }
      Method (_CRS) { Return (LCRS (\_SB.PCI0.SF8.PRQC)) }
      Method (_SRS, 1)
      {
        CreateDWordField (Arg0, 5, IRQN)
        \_SB.PCI0.SF8.PRQC = IRQN
      }
    }

    Device (LNKD)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 3)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 } })
      Method (_STA) { Return (LSTA (\_SB.PCI0.SF8.PRQD)) }
      Method (_DIS) { \_SB.PCI0.SF8.PRQD |= 0x80 }
      Method (_CRS) { Return (LCRS (\_SB.PCI0.SF8.PRQD)) }
      Method (_SRS, 1)
      {
        CreateDWordField (Arg0, 5, IRQN)
        \_SB.PCI0.SF8.PRQD = IRQN
      }
    }

    Device (LNKE)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 4)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 } })
      Method (_STA) { Return (LSTA (\_SB.PCI0.SF8.PRQE)) }
      Method (_DIS) { \_SB.PCI0.SF8.PRQE |= 0x80 }
      Method (_CRS) { Return (LCRS (\_SB.PCI0.SF8.PRQE)) }
      Method (_SRS, 1)
      {
        CreateDWordField (Arg0, 5, IRQN)
        \_SB.PCI0.SF8.PRQE = IRQN
      }
    }

    Device (LNKF)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 5)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 } })
      Method (_STA) { Return (LSTA (\_SB.PCI0.SF8.PRQF)) }
      Method (_DIS) { \_SB.PCI0.SF8.PRQF |= 0x80 }
      Method (_CRS) { Return (LCRS (\_SB.PCI0.SF8.PRQF)) }
      Method (_SRS, 1)
      {
        CreateDWordField (Arg0, 5, IRQN)
        \_SB.PCI0.SF8.PRQF = IRQN
      }
    }

    Device (LNKG)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 6)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 } })
      Method (_STA) { Return (LSTA (\_SB.PCI0.SF8.PRQG)) }
      Method (_DIS) { \_SB.PCI0.SF8.PRQG |= 0x80 }
      Method (_CRS) { Return (LCRS (\_SB.PCI0.SF8.PRQG)) }
      Method (_SRS, 1)
      {
        CreateDWordField (Arg0, 5, IRQN)
        \_SB.PCI0.SF8.PRQG = IRQN
      }
    }

    Device (LNKH)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 7)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 } })
      Method (_STA) { Return (LSTA (\_SB.PCI0.SF8.PRQH)) }
      Method (_DIS) { \_SB.PCI0.SF8.PRQH |= 0x80 }
      Method (_CRS) { Return (LCRS (\_SB.PCI0.SF8.PRQH)) }
      Method (_SRS, 1)
      {
        CreateDWordField (Arg0, 5, IRQN)
        \_SB.PCI0.SF8.PRQH = IRQN
      }
    }

    Device (GSIA)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 16)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 16 } })
      Name (_CRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 16 } })
      Method (_SRS, 1) { }
      Method (_DIS) { }
    }

    Device (GSIB)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 17)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 17 } })
      Name (_CRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 17 } })
      Method (_SRS, 1) { }
      Method (_DIS) { }
    }

    Device (GSIC)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 18)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 18 } })
      Name (_CRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 18 } })
      Method (_SRS, 1) { }
      Method (_DIS) { }
    }

    Device (GSID)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 19)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 19 } })
      Name (_CRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 19 } })
      Method (_SRS, 1) { }
      Method (_DIS) { }
    }

    Device (GSIE)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 20)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 20 } })
      Name (_CRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 20 } })
      Method (_SRS, 1) { }
      Method (_DIS) { }
    }

    Device (GSIF)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 21)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 21 } })
      Name (_CRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 21 } })
      Method (_SRS, 1) { }
      Method (_DIS) { }
    }

    Device (GSIG)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 22)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 22 } })
      Name (_CRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 22 } })
      Method (_SRS, 1) { }
      Method (_DIS) { }
    }

    Device (GSIH)
    {
      Name (_HID, EisaId ("PNP0C0F"))
      Name (_UID, 23)
      Name (_PRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 23 } })
      Name (_CRS, ResourceTemplate () { Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 23 } })
      Method (_SRS, 1) { }
      Method (_DIS) { }
    }

    /* Slots 0-24 and 30 turn through E-H, the others have A-D by pin; pci/pci-bus.c has the same map. */
    Name (PRTP, Package ()
    {
      Package () { 0x0000FFFF, 0, LNKE, 0 }, Package () { 0x0000FFFF, 1, LNKF, 0 },
      Package () { 0x0000FFFF, 2, LNKG, 0 }, Package () { 0x0000FFFF, 3, LNKH, 0 },
      Package () { 0x0001FFFF, 0, LNKF, 0 }, Package () { 0x0001FFFF, 1, LNKG, 0 },
      Package () { 0x0001FFFF, 2, LNKH, 0 }, Package () { 0x0001FFFF, 3, LNKE, 0 },
      Package () { 0x0002FFFF, 0, LNKG, 0 }, Package () { 0x0002FFFF, 1, LNKH, 0 },
      Package () { 0x0002FFFF, 2, LNKE, 0 }, Package () { 0x0002FFFF, 3, LNKF, 0 },
      Package () { 0x0003FFFF, 0, LNKH, 0 }, Package () { 0x0003FFFF, 1, LNKE, 0 },
      Package () { 0x0003FFFF, 2, LNKF, 0 }, Package () { 0x0003FFFF, 3, LNKG, 0 },
      Package () { 0x0004FFFF, 0, LNKE, 0 }, Package () { 0x0004FFFF, 1, LNKF, 0 },
      Package () { 0x0004FFFF, 2, LNKG, 0 }, Package () { 0x0004FFFF, 3, LNKH, 0 },
      Package () { 0x0005FFFF, 0, LNKF, 0 }, Package () { 0x0005FFFF, 1, LNKG, 0 },
      Package () { 0x0005FFFF, 2, LNKH, 0 }, Package () { 0x0005FFFF, 3, LNKE, 0 },
      Package () { 0x0006FFFF, 0, LNKG, 0 }, Package () { 0x0006FFFF, 1, LNKH, 0 },
      Package () { 0x0006FFFF, 2, LNKE, 0 }, Package () { 0x0006FFFF, 3, LNKF, 0 },
      Package () { 0x0007FFFF, 0, LNKH, 0 }, Package () { 0x0007FFFF, 1, LNKE, 0 },
      Package () { 0x0007FFFF, 2, LNKF, 0 }, Package () { 0x0007FFFF, 3, LNKG, 0 },
      Package () { 0x0008FFFF, 0, LNKE, 0 }, Package () { 0x0008FFFF, 1, LNKF, 0 },
      Package () { 0x0008FFFF, 2, LNKG, 0 }, Package () { 0x0008FFFF, 3, LNKH, 0 },
      Package () { 0x0009FFFF, 0, LNKF, 0 }, Package () { 0x0009FFFF, 1, LNKG, 0 },
      Package () { 0x0009FFFF, 2, LNKH, 0 }, Package () { 0x0009FFFF, 3, LNKE, 0 },
      Package () { 0x000AFFFF, 0, LNKG, 0 }, Package () { 0x000AFFFF, 1, LNKH, 0 },
      Package () { 0x000AFFFF, 2, LNKE, 0 }, Package () { 0x000AFFFF, 3, LNKF, 0 },
      Package () { 0x000BFFFF, 0, LNKH, 0 }, Package () { 0x000BFFFF, 1, LNKE, 0 },
      Package () { 0x000BFFFF, 2, LNKF, 0 }, Package () { 0x000BFFFF, 3, LNKG, 0 },
      Package () { 0x000CFFFF, 0, LNKE, 0 }, Package () { 0x000CFFFF, 1, LNKF, 0 },
      Package () { 0x000CFFFF, 2, LNKG, 0 }, Package () { 0x000CFFFF, 3, LNKH, 0 },
      Package () { 0x000DFFFF, 0, LNKF, 0 }, Package () { 0x000DFFFF, 1, LNKG, 0 },
      Package () { 0x000DFFFF, 2, LNKH, 0 }, Package () { 0x000DFFFF, 3, LNKE, 0 },
      Package () { 0x000EFFFF, 0, LNKG, 0 }, Package () { 0x000EFFFF, 1, LNKH, 0 },
      Package () { 0x000EFFFF, 2, LNKE, 0 }, Package () { 0x000EFFFF, 3, LNKF, 0 },
      Package () { 0x000FFFFF, 0, LNKH, 0 }, Package () { 0x000FFFFF, 1, LNKE, 0 },
      Package () { 0x000FFFFF, 2, LNKF, 0 }, Package () { 0x000FFFFF, 3, LNKG, 0 },
      Package () { 0x0010FFFF, 0, LNKE, 0 }, Package () { 0x0010FFFF, 1, LNKF, 0 },
      Package () { 0x0010FFFF, 2, LNKG, 0 }, Package () { 0x0010FFFF, 3, LNKH, 0 },
      Package () { 0x0011FFFF, 0, LNKF, 0 }, Package () { 0x0011FFFF, 1, LNKG, 0 },
      Package () { 0x0011FFFF, 2, LNKH, 0 }, Package () { 0x0011FFFF, 3, LNKE, 0 },
      Package () { 0x0012FFFF, 0, LNKG, 0 }, Package () { 0x0012FFFF, 1, LNKH, 0 },
      Package () { 0x0012FFFF, 2, LNKE, 0 }, Package () { 0x0012FFFF, 3, LNKF, 0 },
      Package () { 0x0013FFFF, 0, LNKH, 0 }, Package () { 0x0013FFFF, 1, LNKE, 0 },
      Package () { 0x0013FFFF, 2, LNKF, 0 }, Package () { 0x0013FFFF, 3, LNKG, 0 },
      Package () { 0x0014FFFF, 0, LNKE, 0 }, Package () { 0x0014FFFF, 1, LNKF, 0 },
      Package () { 0x0014FFFF, 2, LNKG, 0 }, Package () { 0x0014FFFF, 3, LNKH, 0 },
      Package () { 0x0015FFFF, 0, LNKF, 0 }, Package () { 0x0015FFFF, 1, LNKG, 0 },
      Package () { 0x0015FFFF, 2, LNKH, 0 }, Package () { 0x0015FFFF, 3, LNKE, 0 },
      Package () { 0x0016FFFF, 0, LNKG, 0 }, Package () { 0x0016FFFF, 1, LNKH, 0 },
      Package () { 0x0016FFFF, 2, LNKE, 0 }, Package () { 0x0016FFFF, 3, LNKF, 0 },
      Package () { 0x0017FFFF, 0, LNKH, 0 }, Package () { 0x0017FFFF, 1, LNKE, 0 },
      Package () { 0x0017FFFF, 2, LNKF, 0 }, Package () { 0x0017FFFF, 3, LNKG, 0 },
      Package () { 0x0018FFFF, 0, LNKE, 0 }, Package () { 0x0018FFFF, 1, LNKF, 0 },
      Package () { 0x0018FFFF, 2, LNKG, 0 }, Package () { 0x0018FFFF, 3, LNKH, 0 },
      Package () { 0x0019FFFF, 0, LNKA, 0 }, Package () { 0x0019FFFF, 1, LNKB, 0 },
      Package () { 0x0019FFFF, 2, LNKC, 0 }, Package () { 0x0019FFFF, 3, LNKD, 0 },
      Package () { 0x001AFFFF, 0, LNKA, 0 }, Package () { 0x001AFFFF, 1, LNKB, 0 },
      Package () { 0x001AFFFF, 2, LNKC, 0 }, Package () { 0x001AFFFF, 3, LNKD, 0 },
      Package () { 0x001BFFFF, 0, LNKA, 0 }, Package () { 0x001BFFFF, 1, LNKB, 0 },
      Package () { 0x001BFFFF, 2, LNKC, 0 }, Package () { 0x001BFFFF, 3, LNKD, 0 },
      Package () { 0x001CFFFF, 0, LNKA, 0 }, Package () { 0x001CFFFF, 1, LNKB, 0 },
      Package () { 0x001CFFFF, 2, LNKC, 0 }, Package () { 0x001CFFFF, 3, LNKD, 0 },
      Package () { 0x001DFFFF, 0, LNKA, 0 }, Package () { 0x001DFFFF, 1, LNKB, 0 },
      Package () { 0x001DFFFF, 2, LNKC, 0 }, Package () { 0x001DFFFF, 3, LNKD, 0 },
      Package () { 0x001EFFFF, 0, LNKG, 0 }, Package () { 0x001EFFFF, 1, LNKH, 0 },
      Package () { 0x001EFFFF, 2, LNKE, 0 }, Package () { 0x001EFFFF, 3, LNKF, 0 },
      Package () { 0x001FFFFF, 0, LNKA, 0 }, Package () { 0x001FFFFF, 1, LNKB, 0 },
      Package () { 0x001FFFFF, 2, LNKC, 0 }, Package () { 0x001FFFFF, 3, LNKD, 0 }
    })

    Name (PRTA, Package ()
    {
      Package () { 0x0000FFFF, 0, GSIE, 0 }, Package () { 0x0000FFFF, 1, GSIF, 0 },
      Package () { 0x0000FFFF, 2, GSIG, 0 }, Package () { 0x0000FFFF, 3, GSIH, 0 },
      Package () { 0x0001FFFF, 0, GSIF, 0 }, Package () { 0x0001FFFF, 1, GSIG, 0 },
      Package () { 0x0001FFFF, 2, GSIH, 0 }, Package () { 0x0001FFFF, 3, GSIE, 0 },
      Package () { 0x0002FFFF, 0, GSIG, 0 }, Package () { 0x0002FFFF, 1, GSIH, 0 },
      Package () { 0x0002FFFF, 2, GSIE, 0 }, Package () { 0x0002FFFF, 3, GSIF, 0 },
      Package () { 0x0003FFFF, 0, GSIH, 0 }, Package () { 0x0003FFFF, 1, GSIE, 0 },
      Package () { 0x0003FFFF, 2, GSIF, 0 }, Package () { 0x0003FFFF, 3, GSIG, 0 },
      Package () { 0x0004FFFF, 0, GSIE, 0 }, Package () { 0x0004FFFF, 1, GSIF, 0 },
      Package () { 0x0004FFFF, 2, GSIG, 0 }, Package () { 0x0004FFFF, 3, GSIH, 0 },
      Package () { 0x0005FFFF, 0, GSIF, 0 }, Package () { 0x0005FFFF, 1, GSIG, 0 },
      Package () { 0x0005FFFF, 2, GSIH, 0 }, Package () { 0x0005FFFF, 3, GSIE, 0 },
      Package () { 0x0006FFFF, 0, GSIG, 0 }, Package () { 0x0006FFFF, 1, GSIH, 0 },
      Package () { 0x0006FFFF, 2, GSIE, 0 }, Package () { 0x0006FFFF, 3, GSIF, 0 },
      Package () { 0x0007FFFF, 0, GSIH, 0 }, Package () { 0x0007FFFF, 1, GSIE, 0 },
      Package () { 0x0007FFFF, 2, GSIF, 0 }, Package () { 0x0007FFFF, 3, GSIG, 0 },
      Package () { 0x0008FFFF, 0, GSIE, 0 }, Package () { 0x0008FFFF, 1, GSIF, 0 },
      Package () { 0x0008FFFF, 2, GSIG, 0 }, Package () { 0x0008FFFF, 3, GSIH, 0 },
      Package () { 0x0009FFFF, 0, GSIF, 0 }, Package () { 0x0009FFFF, 1, GSIG, 0 },
      Package () { 0x0009FFFF, 2, GSIH, 0 }, Package () { 0x0009FFFF, 3, GSIE, 0 },
      Package () { 0x000AFFFF, 0, GSIG, 0 }, Package () { 0x000AFFFF, 1, GSIH, 0 },
      Package () { 0x000AFFFF, 2, GSIE, 0 }, Package () { 0x000AFFFF, 3, GSIF, 0 },
      Package () { 0x000BFFFF, 0, GSIH, 0 }, Package () { 0x000BFFFF, 1, GSIE, 0 },
      Package () { 0x000BFFFF, 2, GSIF, 0 }, Package () { 0x000BFFFF, 3, GSIG, 0 },
      Package () { 0x000CFFFF, 0, GSIE, 0 }, Package () { 0x000CFFFF, 1, GSIF, 0 },
      Package () { 0x000CFFFF, 2, GSIG, 0 }, Package () { 0x000CFFFF, 3, GSIH, 0 },
      Package () { 0x000DFFFF, 0, GSIF, 0 }, Package () { 0x000DFFFF, 1, GSIG, 0 },
      Package () { 0x000DFFFF, 2, GSIH, 0 }, Package () { 0x000DFFFF, 3, GSIE, 0 },
      Package () { 0x000EFFFF, 0, GSIG, 0 }, Package () { 0x000EFFFF, 1, GSIH, 0 },
      Package () { 0x000EFFFF, 2, GSIE, 0 }, Package () { 0x000EFFFF, 3, GSIF, 0 },
      Package () { 0x000FFFFF, 0, GSIH, 0 }, Package () { 0x000FFFFF, 1, GSIE, 0 },
      Package () { 0x000FFFFF, 2, GSIF, 0 }, Package () { 0x000FFFFF, 3, GSIG, 0 },
      Package () { 0x0010FFFF, 0, GSIE, 0 }, Package () { 0x0010FFFF, 1, GSIF, 0 },
      Package () { 0x0010FFFF, 2, GSIG, 0 }, Package () { 0x0010FFFF, 3, GSIH, 0 },
      Package () { 0x0011FFFF, 0, GSIF, 0 }, Package () { 0x0011FFFF, 1, GSIG, 0 },
      Package () { 0x0011FFFF, 2, GSIH, 0 }, Package () { 0x0011FFFF, 3, GSIE, 0 },
      Package () { 0x0012FFFF, 0, GSIG, 0 }, Package () { 0x0012FFFF, 1, GSIH, 0 },
      Package () { 0x0012FFFF, 2, GSIE, 0 }, Package () { 0x0012FFFF, 3, GSIF, 0 },
      Package () { 0x0013FFFF, 0, GSIH, 0 }, Package () { 0x0013FFFF, 1, GSIE, 0 },
      Package () { 0x0013FFFF, 2, GSIF, 0 }, Package () { 0x0013FFFF, 3, GSIG, 0 },
      Package () { 0x0014FFFF, 0, GSIE, 0 }, Package () { 0x0014FFFF, 1, GSIF, 0 },
      Package () { 0x0014FFFF, 2, GSIG, 0 }, Package () { 0x0014FFFF, 3, GSIH, 0 },
      Package () { 0x0015FFFF, 0, GSIF, 0 }, Package () { 0x0015FFFF, 1, GSIG, 0 },
      Package () { 0x0015FFFF, 2, GSIH, 0 }, Package () { 0x0015FFFF, 3, GSIE, 0 },
      Package () { 0x0016FFFF, 0, GSIG, 0 }, Package () { 0x0016FFFF, 1, GSIH, 0 },
      Package () { 0x0016FFFF, 2, GSIE, 0 }, Package () { 0x0016FFFF, 3, GSIF, 0 },
      Package () { 0x0017FFFF, 0, GSIH, 0 }, Package () { 0x0017FFFF, 1, GSIE, 0 },
      Package () { 0x0017FFFF, 2, GSIF, 0 }, Package () { 0x0017FFFF, 3, GSIG, 0 },
      Package () { 0x0018FFFF, 0, GSIE, 0 }, Package () { 0x0018FFFF, 1, GSIF, 0 },
      Package () { 0x0018FFFF, 2, GSIG, 0 }, Package () { 0x0018FFFF, 3, GSIH, 0 },
      Package () { 0x0019FFFF, 0, GSIA, 0 }, Package () { 0x0019FFFF, 1, GSIB, 0 },
      Package () { 0x0019FFFF, 2, GSIC, 0 }, Package () { 0x0019FFFF, 3, GSID, 0 },
      Package () { 0x001AFFFF, 0, GSIA, 0 }, Package () { 0x001AFFFF, 1, GSIB, 0 },
      Package () { 0x001AFFFF, 2, GSIC, 0 }, Package () { 0x001AFFFF, 3, GSID, 0 },
      Package () { 0x001BFFFF, 0, GSIA, 0 }, Package () { 0x001BFFFF, 1, GSIB, 0 },
      Package () { 0x001BFFFF, 2, GSIC, 0 }, Package () { 0x001BFFFF, 3, GSID, 0 },
      Package () { 0x001CFFFF, 0, GSIA, 0 }, Package () { 0x001CFFFF, 1, GSIB, 0 },
      Package () { 0x001CFFFF, 2, GSIC, 0 }, Package () { 0x001CFFFF, 3, GSID, 0 },
      Package () { 0x001DFFFF, 0, GSIA, 0 }, Package () { 0x001DFFFF, 1, GSIB, 0 },
      Package () { 0x001DFFFF, 2, GSIC, 0 }, Package () { 0x001DFFFF, 3, GSID, 0 },
      Package () { 0x001EFFFF, 0, GSIG, 0 }, Package () { 0x001EFFFF, 1, GSIH, 0 },
      Package () { 0x001EFFFF, 2, GSIE, 0 }, Package () { 0x001EFFFF, 3, GSIF, 0 },
      Package () { 0x001FFFFF, 0, GSIA, 0 }, Package () { 0x001FFFFF, 1, GSIB, 0 },
      Package () { 0x001FFFFF, 2, GSIC, 0 }, Package () { 0x001FFFFF, 3, GSID, 0 }
    })
  }
}
