/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a monitor says of itself.
 * Spec: VESA E-EDID A2 (EDID 1.4) §3; VESA CVT 1.2 §3.4 (reduced blanking). */
#include "display/edid.h"

#include <string.h>

#define EDID_HZ 60
/* CVT, reduced blanking */
#define EDID_H_BLANK 160
#define EDID_H_FRONT 48
#define EDID_H_SYNC 32
#define EDID_V_FRONT 3
#define EDID_V_BLANK_NS 460000
#define EDID_V_BACK_MIN 6
#define EDID_CLOCK_STEP_HZ 250000
#define EDID_CLOCK_MAX_HZ 655250000 /* 16 bits of 10 kHz, a multiple of the step */
#define EDID_DPI 96

typedef struct {
  guint width, height, aspect; /* aspect: 0 16:10, 1 4:3, 2 5:4, 3 16:9 */
} EdidStandard;

/* Also offered, at 60 Hz (§3.9) */
static const EdidStandard edid_standard[8] = { { 1920, 1200, 0 }, { 1920, 1080, 3 }, { 1680, 1050, 0 }, { 1600, 1200, 1 },
                                               { 1440, 900, 0 },  { 1280, 1024, 2 }, { 1280, 800, 0 },  { 1280, 720, 3 } };

/* Width of the vertical sync in lines tells the aspect ratio (CVT table 2). */
static guint
edid_v_sync (guint width, guint height)
{
  if (width * 3 == height * 4)
    return 4;
  if (width * 9 == height * 16)
    return 5;
  if (width * 10 == height * 16)
    return 6;
  if (width * 4 == height * 5 || width * 9 == height * 15)
    return 7;
  return 10;
}

static void
edid_put_detailed (guint8 *at, guint width, guint height)
{
  guint v_sync = edid_v_sync (width, height), v_blank, millimetres_x, millimetres_y;
  guint64 clock_hz, line_ps = (G_GUINT64_CONSTANT (1000000000000) / EDID_HZ - EDID_V_BLANK_NS * G_GUINT64_CONSTANT (1000)) / height;

  v_blank = (guint) (EDID_V_BLANK_NS * G_GUINT64_CONSTANT (1000) / line_ps) + 1;
  v_blank = MAX (v_blank, EDID_V_FRONT + v_sync + EDID_V_BACK_MIN);
  clock_hz = (guint64) EDID_HZ * (height + v_blank) * (width + EDID_H_BLANK);
  clock_hz = MIN (clock_hz - clock_hz % EDID_CLOCK_STEP_HZ, EDID_CLOCK_MAX_HZ);
  millimetres_x = width * 254 / (EDID_DPI * 10);
  millimetres_y = height * 254 / (EDID_DPI * 10);

  at[0] = (guint8) (clock_hz / 10000);
  at[1] = (guint8) (clock_hz / 10000 >> 8);
  at[2] = (guint8) width;
  at[3] = EDID_H_BLANK;
  at[4] = (guint8) (width >> 8 << 4);
  at[5] = (guint8) height;
  at[6] = (guint8) v_blank;
  at[7] = (guint8) (height >> 8 << 4 | v_blank >> 8);
  at[8] = EDID_H_FRONT;
  at[9] = EDID_H_SYNC;
  at[10] = (guint8) (EDID_V_FRONT << 4 | v_sync);
  at[11] = 0;
  at[12] = (guint8) millimetres_x;
  at[13] = (guint8) millimetres_y;
  at[14] = (guint8) (millimetres_x >> 8 << 4 | millimetres_y >> 8);
  at[17] = 0x1a; /* digital separate sync, horizontal positive, vertical negative */
}

void
vmm_edid_make (int width, int height, guint32 serial, guint8 ret_edid[128])
{
  static const guint8 head[] = { 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00 };
  static const guint8 srgb[] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };
  static const char name[13] = "Lodge\n       ";
  guint8 *edid = ret_edid, sum = 0;

  memset (edid, 0, 128);
  memcpy (edid, head, sizeof head);
  edid[8] = ('L' - '@') << 2 | ('D' - '@') >> 3; /* manufacturer LDG */
  edid[9] = (('D' - '@') & 7) << 5 | ('G' - '@');
  edid[10] = 0x01; /* product */
  for (guint i = 0; i < 4; i++)
    edid[12 + i] = (guint8) (serial >> 8 * i);
  edid[16] = 0; /* week not given */
  edid[17] = 2025 - 1990;
  edid[18] = 1;
  edid[19] = 4;
  edid[20] = 0xa5; /* digital, 8 bits a colour, DisplayPort */
  edid[21] = (guint8) (width * 254 / (EDID_DPI * 100));
  edid[22] = (guint8) (height * 254 / (EDID_DPI * 100));
  edid[23] = 120;  /* gamma 2.2 */
  edid[24] = 0x06; /* sRGB, preferred timing is the native one */
  memcpy (edid + 25, srgb, sizeof srgb);
  edid[35] = 0x21; /* 640×480, 800×600 */
  edid[36] = 0x08; /* 1024×768 */
  for (guint i = 0; i < G_N_ELEMENTS (edid_standard); i++)
    {
      edid[38 + 2 * i] = (guint8) (edid_standard[i].width / 8 - 31);
      edid[39 + 2 * i] = (guint8) (edid_standard[i].aspect << 6 | (EDID_HZ - 60));
    }
  edid_put_detailed (edid + 54, (guint) width, (guint) height);

  /* Range limits (§3.10.3.3): 24-76 Hz, 15-160 kHz, up to 600 MHz; no timing formula */
  edid[72 + 3] = 0xfd;
  edid[72 + 5] = 24;
  edid[72 + 6] = 76;
  edid[72 + 7] = 15;
  edid[72 + 8] = 160;
  edid[72 + 9] = 60;
  edid[72 + 10] = 0x01;
  edid[72 + 11] = '\n';
  memset (edid + 72 + 12, ' ', 6);

  edid[90 + 3] = 0xfc; /* name */
  memcpy (edid + 90 + 5, name, sizeof name);
  edid[108 + 3] = 0x10; /* unused */

  for (guint i = 0; i < 127; i++)
    sum = (guint8) (sum + edid[i]);
  edid[127] = (guint8) -sum;
}
